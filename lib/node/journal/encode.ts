import { escapeText } from "../../util/escape.ts";

/**
 * What happened. Its other fields are JSON values. The journal adds `id` and `at`. An event with a `service` is about one
 * entry or server of that service; `count` says of how many it is.
 */
export interface JournalEvent {
  readonly kind: string;
  readonly service?: string | undefined;
  readonly count?: number | undefined;
  readonly id?: never;
  readonly at?: never;
}

/** Of an event as JSON. */
const MAX_BYTES = 1_024;
/** Strings of up to this length take the fast way. */
const MAX_PLAIN_LENGTH = 200;
const NEEDS_ESCAPE = /[\\]|[^\x20-\x7e]/;

/** How far strings, lists and objects are shortened, until the event fits. */
interface Limits {
  readonly maxLength: number;
  readonly maxItems: number;
}
const STEPS: readonly Limits[] = [
  { maxLength: 800, maxItems: 40 },
  { maxLength: 400, maxItems: 20 },
  { maxLength: 200, maxItems: 20 },
  { maxLength: 100, maxItems: 10 },
  { maxLength: 50, maxItems: 5 },
  { maxLength: 25, maxItems: 2 },
];
const LAST = { maxLength: 25, maxItems: 2 };
const MAX_DEPTH = 3;

/**
 * An event as JSON of at most 1 KiB in printable ASCII. Text is escaped; what is too long in it is cut, and the cut is
 * marked.
 */
export function encodeEvent(event: JournalEvent): string {
  return encodePlain(event) ?? encodeBounded(event);
}

/** Nearly all events are small and have nothing to escape: this is the fast way for them. */
function encodePlain(event: JournalEvent): string | undefined {
  if (!Object.values(event).every(isPlain)) return undefined;
  const json = JSON.stringify(event);
  return json.length > MAX_BYTES || NEEDS_ESCAPE.test(json) ? undefined : json;
}

function isPlain(value: unknown): boolean {
  if (typeof value === "string") return value.length <= MAX_PLAIN_LENGTH;
  return typeof value === "number" || typeof value === "boolean" || value === undefined;
}

function encodeBounded(event: JournalEvent): string {
  for (const limits of STEPS) {
    const json = JSON.stringify(shorten(event, { ...limits, depth: 0 }));
    if (json.length <= MAX_BYTES) return json;
  }
  const { kind, service, count } = event;
  return JSON.stringify({ ...shortenObject({ kind, service, count }, { ...LAST, depth: 0 }), cut: true });
}

function shorten(value: unknown, limits: Limits & { readonly depth: number }): unknown {
  if (typeof value === "string") return escapeText(value, limits.maxLength);
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "object" || value === null) return value;
  if (limits.depth === MAX_DEPTH) return "...";
  const deeper = { ...limits, depth: limits.depth + 1 };
  return Array.isArray(value) ? shortenList(value, deeper) : shortenObject(value, deeper);
}

function shortenList(list: readonly unknown[], limits: Limits & { readonly depth: number }): unknown[] {
  const items = list.slice(0, limits.maxItems).map((item) => shorten(item, limits));
  return list.length > limits.maxItems ? [...items, `... (${list.length} items)`] : items;
}

function shortenObject(
  value: object,
  limits: Limits & { readonly depth: number },
): Record<string, unknown> {
  const fields = Object.entries(value);
  // The fields of the event itself are known to be few.
  const maxFields = limits.depth <= 1 ? Infinity : limits.maxItems;
  const kept = fields.slice(0, maxFields).map((
    [name, inner],
  ) => [escapeText(name, limits.maxLength), shorten(inner, limits)]);
  const more = fields.length > maxFields ? [["...", `(${fields.length} fields)`]] : [];
  return Object.fromEntries([...kept, ...more]);
}
