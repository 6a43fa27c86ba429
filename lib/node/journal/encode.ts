import { escapeText } from "../../util/escape.ts";

/**
 * One thing that happened. Other fields are strings, numbers, booleans and lists of strings. The journal adds `id` and `at`.
 * An event with a `service` is about one entry or server of it, or about `count` of them.
 */
export interface JournalEvent {
  readonly kind: string;
  readonly service?: string | undefined;
  readonly count?: number | undefined;
  readonly id?: never;
  readonly at?: never;
}

/** The longest JSON of an event. */
const MAX_BYTES = 1_024;
/** Strings are cut to the first of these lengths with which the event fits. */
const MAX_LENGTHS = [800, 400, 200, 100, 50, 25] as const;
const NEEDS_ESCAPE = /[\\]|[^\x20-\x7e]/;

/** An event as JSON of at most 1 KiB in printable ASCII. Text is escaped; long text and long lists are cut, with a mark. */
export function encodeEvent(event: JournalEvent): string {
  // Nearly all events are small and have nothing to escape. A replacer is several times slower.
  const plain = JSON.stringify(event);
  if (plain.length <= MAX_LENGTHS[0] && !NEEDS_ESCAPE.test(plain)) return plain;
  for (const maxLength of MAX_LENGTHS) {
    const json = shortJson(event, maxLength);
    if (json.length <= MAX_BYTES) return json;
  }
  const { kind, service, count } = event;
  return shortJson({ kind, service, count, cut: true }, 25);
}

function shortJson(event: object, maxLength: number): string {
  return JSON.stringify(event, (_, value) => {
    if (typeof value === "string") return escapeText(value, maxLength);
    return Array.isArray(value) ? shortList(value, Math.ceil(maxLength / 20)) : value;
  });
}

function shortList(list: readonly unknown[], maxItems: number): readonly unknown[] {
  return list.length <= maxItems ? list : [...list.slice(0, maxItems), `... (${list.length} items)`];
}
