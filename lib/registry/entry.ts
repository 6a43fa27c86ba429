import * as v from "valibot";
import { type Address, parseAddress, type Parsed, parseHost } from "./address.ts";
import type { RawEntry } from "./snapshot.ts";

export type ServerState = "ready" | "drain" | "maint";

/** How a server is checked. */
export type Check =
  | { readonly kind: "off" }
  | { readonly kind: "on"; readonly port: number | undefined; readonly path: string | undefined };

/** How HAProxy speaks TLS to a server. `name` is what the certificate must be for, when the host is a name. */
export type Tls =
  | { readonly kind: "off" }
  | { readonly kind: "on"; readonly verify: "required" | "none"; readonly name: string | undefined };

/** One server as its entry describes it, every field validated. */
export interface Server {
  readonly service: string;
  readonly id: string;
  readonly address: Address;
  /** 0 to 256. */
  readonly weight: number;
  readonly state: ServerState;
  readonly backup: boolean;
  /** 0 means no limit. */
  readonly maxconn: number;
  readonly tls: Tls;
  readonly proto: "h1" | "h2";
  readonly check: Check;
  /** The revision at which the entry (or the override that changes it) was written. */
  readonly revision: bigint;
}

/** An entry that cannot be used. It alone is left out. */
export interface Rejection {
  /** Key as latin1 text; escape it before it is shown. */
  readonly key: string;
  readonly reason: string;
  readonly revision: bigint;
}

/** An operator's override of one server. */
export interface Override {
  readonly service: string;
  readonly id: string;
  readonly state: ServerState | undefined;
  readonly weight: number | undefined;
  readonly revision: bigint;
}

export type EntryResult =
  | { readonly kind: "server"; readonly server: Server; readonly unknownFields: number }
  | { readonly kind: "rejection"; readonly rejection: Rejection };

export type OverrideResult =
  | { readonly kind: "override"; readonly override: Override; readonly unknownFields: number }
  | { readonly kind: "rejection"; readonly rejection: Rejection };

/** A longer value is rejected unread. */
export const MAX_VALUE_BYTES = 64 * 1024;

const NAME = /^[A-Za-z0-9._:-]{1,128}$/;

const integer = (what: string, min: number, max: number) => {
  const message = `${what} is not an integer from ${min} to ${max}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
};
const boolean = (what: string) => v.boolean(`${what} is not true or false`);
const state = v.picklist(["ready", "drain", "maint"], "state is not ready, drain or maint");
const weight = integer("weight", 0, 256);
const port = (what: string) => integer(what, 1, 65_535);

const jsonObject = (message: string) =>
  v.custom<Record<string, unknown>>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    message,
  );

const CHECK = v.object({
  port: v.optional(port("check.port")),
  path: v.optional(
    v.pipe(
      v.string("check.path is not a string"),
      v.regex(
        /^\/[A-Za-z0-9\-._~!&()*+,;=:@/?%]{0,255}$/,
        "check.path is not a path of at most 256 plain characters",
      ),
    ),
  ),
  disabled: v.optional(boolean("check.disabled"), false),
});

// The message of the object is that of its only required field.
const ENTRY = v.object({
  address: v.string("address is missing or not a string"),
  port: v.optional(port("port")),
  weight: v.optional(weight, 100),
  state: v.optional(state, "ready"),
  backup: v.optional(boolean("backup"), false),
  maxconn: v.optional(integer("maxconn", 0, 1_000_000), 0),
  ssl: v.optional(boolean("ssl"), false),
  verify: v.optional(v.picklist(["required", "none"], "verify is not required or none"), "required"),
  proto: v.optional(v.picklist(["h1", "h2"], "proto is not h1 or h2"), "h1"),
  check: v.optional(v.pipe(jsonObject("check is not an object"), CHECK), {}),
  meta: v.optional(v.unknown()),
}, "address is missing or not a string");

const OVERRIDE = v.object({
  state: v.optional(state),
  weight: v.optional(weight),
});

const ENTRY_VALUE = v.pipe(jsonObject("value is not a JSON object"), ENTRY);
const OVERRIDE_VALUE = v.pipe(jsonObject("value is not a JSON object"), OVERRIDE);

const ENTRY_FIELDS = new Set(Object.keys(ENTRY.entries));
const CHECK_FIELDS = new Set(Object.keys(CHECK.entries));
const OVERRIDE_FIELDS = new Set(Object.keys(OVERRIDE.entries));

type EntryValue = v.InferOutput<typeof ENTRY>;

/**
 * The weight that HAProxy runs a server with. To drain a server is to run it with weight 0: it gets no new request, and
 * those that it has go on.
 */
export function effectiveWeight({ state, weight }: Pick<Server, "state" | "weight">): number {
  return state === "drain" ? 0 : weight;
}

/** Whether a server is to get requests. */
export function isAskedFor(server: Server): boolean {
  return server.state !== "maint" && effectiveWeight(server) > 0;
}

/** Reads one entry below the services prefix. */
export function parseEntry(raw: RawEntry, prefix: string): EntryResult {
  const result = readEntry(raw, prefix);
  if (!result.ok) return rejection(raw, result.reason);
  return { kind: "server", ...result.value };
}

/** Reads one override below the prefix of server overrides. */
export function parseOverride(raw: RawEntry, prefix: string): OverrideResult {
  const name = parseKey(raw.key, prefix);
  if (!name.ok) return rejection(raw, name.reason);
  const text = decodeValue(raw.value);
  if (!text.ok) return rejection(raw, text.reason);
  const json = parseJson(text.value);
  if (!json.ok) return rejection(raw, json.reason);
  const parsed = v.safeParse(OVERRIDE_VALUE, json.value, { abortEarly: true });
  if (!parsed.success) return rejection(raw, parsed.issues[0].message);
  const { state, weight } = parsed.output;
  const override = { ...name.value, state, weight, revision: raw.modRevision };
  return { kind: "override", override, unknownFields: countUnknown(json.value, OVERRIDE_FIELDS) };
}

function rejection(raw: RawEntry, reason: string): { kind: "rejection"; rejection: Rejection } {
  return { kind: "rejection", rejection: { key: raw.key, reason, revision: raw.modRevision } };
}

function readEntry(raw: RawEntry, prefix: string): Parsed<{ server: Server; unknownFields: number }> {
  const name = parseKey(raw.key, prefix);
  if (!name.ok) return name;
  const text = decodeValue(raw.value);
  if (!text.ok) return text;
  const value = readValue(text.value);
  if (!value.ok) return value;
  const address = readAddress(value.value.entry);
  if (!address.ok) return address;
  const server = toServer(
    { ...name.value, address: address.value, revision: raw.modRevision },
    value.value.entry,
  );
  return { ok: true, value: { server, unknownFields: value.value.unknownFields } };
}

function parseKey(key: string, prefix: string): Parsed<{ service: string; id: string }> {
  const [service = "", id = "", ...others] = key.slice(prefix.length).split("/");
  if (!key.startsWith(prefix) || others.length > 0 || id === "") {
    return fail("key is not <prefix><service>/<id>");
  }
  if (!NAME.test(service)) return fail("service is not 1 to 128 of the characters A-Z a-z 0-9 . _ : -");
  if (!NAME.test(id)) return fail("id is not 1 to 128 of the characters A-Z a-z 0-9 . _ : -");
  return { ok: true, value: { service, id } };
}

function fail(reason: string): { ok: false; reason: string } {
  return { ok: false, reason };
}

function decodeValue(value: Uint8Array): Parsed<string> {
  if (value.length > MAX_VALUE_BYTES) {
    return fail(`value has more than ${MAX_VALUE_BYTES} bytes`);
  }
  if (value.length === 0) return fail("value is empty");
  try {
    return { ok: true, value: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value) };
  } catch {
    return fail("value is not UTF-8");
  }
}

function parseJson(text: string): Parsed<unknown> {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return fail("value is not valid JSON");
  }
}

/** A value is an address alone, or a JSON object. */
function readValue(text: string): Parsed<{ entry: EntryValue; unknownFields: number }> {
  const json: Parsed<unknown> = /^\s*\{/.test(text)
    ? parseJson(text)
    : { ok: true, value: { address: text } };
  if (!json.ok) return json;
  const parsed = v.safeParse(ENTRY_VALUE, json.value, { abortEarly: true });
  if (!parsed.success) return fail(parsed.issues[0].message);
  const unknownFields = countUnknown(json.value, ENTRY_FIELDS) +
    countUnknown(checkOf(json.value), CHECK_FIELDS);
  return { ok: true, value: { entry: parsed.output, unknownFields } };
}

function checkOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "check" in value ? value.check : undefined;
}

function countUnknown(value: unknown, known: ReadonlySet<string>): number {
  if (typeof value !== "object" || value === null) return 0;
  return Object.keys(value).filter((field) => !known.has(field)).length;
}

function readAddress(entry: EntryValue): Parsed<Address> {
  if (entry.port === undefined) return parseAddress(entry.address);
  if (/^[^:]*:\d+$/.test(entry.address)) return fail("address holds a port, and port is given too");
  const host = parseHost(entry.address);
  if (!host.ok) return host;
  return { ok: true, value: { host: host.value, port: entry.port } };
}

function toServer(
  place: { service: string; id: string; address: Address; revision: bigint },
  entry: EntryValue,
): Server {
  const { weight, state, backup, maxconn, proto } = entry;
  return {
    ...place,
    weight,
    state,
    backup,
    maxconn,
    proto,
    tls: toTls(entry, place.address),
    check: toCheck(entry.check),
  };
}

function toTls(entry: EntryValue, { host }: Address): Tls {
  if (!entry.ssl) return { kind: "off" };
  return { kind: "on", verify: entry.verify, name: host.kind === "name" ? host.text : undefined };
}

function toCheck(check: EntryValue["check"]): Check {
  if (check.disabled) return { kind: "off" };
  return { kind: "on", port: check.port, path: check.path };
}
