import * as v from "valibot";
import { type Address, bad, good, parseAddress, type Parsed, parseHost } from "./address.ts";
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

/** A value, and how many of its fields this version does not know. */
export interface Known<T> {
  readonly value: T;
  readonly unknownFields: number;
}

/** A longer value is rejected without being parsed. */
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

const PATH = /^\/[A-Za-z0-9\-._~!&()*+,;=:@/?%]{0,255}$/;
const path = v.pipe(
  v.string("check.path is not a string"),
  v.regex(PATH, "check.path is not a path of at most 256 plain characters"),
);

const CHECK = v.object({
  port: v.optional(port("check.port")),
  path: v.optional(path),
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

const OVERRIDE = v.object({ state: v.optional(state), weight: v.optional(weight) });

const ENTRY_VALUE = v.pipe(jsonObject("value is not a JSON object"), ENTRY);
const OVERRIDE_VALUE = v.pipe(jsonObject("value is not a JSON object"), OVERRIDE);

const ENTRY_FIELDS = new Set(Object.keys(ENTRY.entries));
const CHECK_FIELDS = new Set(Object.keys(CHECK.entries));
const OVERRIDE_FIELDS = new Set(Object.keys(OVERRIDE.entries));

type EntryValue = v.InferOutput<typeof ENTRY>;

/** The weight that HAProxy runs a server with. To drain a server is to run it with weight 0: it gets no new request. */
export function effectiveWeight({ state, weight }: Pick<Server, "state" | "weight">): number {
  return state === "drain" ? 0 : weight;
}

/** Whether a server is to get requests. */
export function isAskedFor(server: Server): boolean {
  return server.state !== "maint" && effectiveWeight(server) > 0;
}

/** Reads one entry below the services prefix. */
export function parseEntry(raw: RawEntry, prefix: string): Parsed<Known<Server>> {
  const name = parseKey(raw.key, prefix);
  if (!name.ok) return name;
  const text = decodeValue(raw.value);
  if (!text.ok) return text;
  const json = /^\s*\{/.test(text.value) ? parseJson(text.value) : good({ address: text.value });
  if (!json.ok) return json;
  const entry = validated(ENTRY_VALUE, json.value);
  if (!entry.ok) return entry;
  const address = readAddress(entry.value);
  if (!address.ok) return address;
  return good({
    value: toServer({ ...name.value, address: address.value, revision: raw.modRevision }, entry.value),
    unknownFields: countUnknown(json.value, ENTRY_FIELDS) + countUnknown(checkOf(json.value), CHECK_FIELDS),
  });
}

/** Reads one override below the prefix of server overrides. */
export function parseOverride(raw: RawEntry, prefix: string): Parsed<Known<Override>> {
  const name = parseKey(raw.key, prefix);
  if (!name.ok) return name;
  const text = decodeValue(raw.value);
  const json = text.ok ? parseJson(text.value) : text;
  if (!json.ok) return json;
  const override = validated(OVERRIDE_VALUE, json.value);
  if (!override.ok) return override;
  const { state, weight } = override.value;
  return good({
    value: { ...name.value, state, weight, revision: raw.modRevision },
    unknownFields: countUnknown(json.value, OVERRIDE_FIELDS),
  });
}

function parseKey(key: string, prefix: string): Parsed<{ service: string; id: string }> {
  const [service = "", id = "", ...others] = key.slice(prefix.length).split("/");
  if (!key.startsWith(prefix) || others.length > 0 || id === "") {
    return bad("key is not <prefix><service>/<id>");
  }
  if (!NAME.test(service)) return bad("service is not 1 to 128 of the characters A-Z a-z 0-9 . _ : -");
  if (!NAME.test(id)) return bad("id is not 1 to 128 of the characters A-Z a-z 0-9 . _ : -");
  return good({ service, id });
}

function decodeValue(value: Uint8Array): Parsed<string> {
  if (value.length > MAX_VALUE_BYTES) return bad(`value has more than ${MAX_VALUE_BYTES} bytes`);
  if (value.length === 0) return bad("value is empty");
  try {
    return good(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value));
  } catch {
    return bad("value is not UTF-8");
  }
}

function parseJson(text: string): Parsed<unknown> {
  try {
    return good(JSON.parse(text));
  } catch {
    return bad("value is not valid JSON");
  }
}

function validated<S extends v.GenericSchema>(schema: S, value: unknown): Parsed<v.InferOutput<S>> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  return parsed.success ? good(parsed.output) : bad(parsed.issues[0].message);
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
  if (/^[^:]*:\d+$/.test(entry.address)) return bad("address holds a port, and port is given too");
  const host = parseHost(entry.address);
  if (!host.ok) return host;
  return good({ host: host.value, port: entry.port });
}

function toServer(
  place: { service: string; id: string; address: Address; revision: bigint },
  entry: EntryValue,
): Server {
  const { weight, state, backup, maxconn, proto } = entry;
  const [tls, check] = [toTls(entry, place.address), toCheck(entry.check)];
  return { ...place, weight, state, backup, maxconn, proto, tls, check };
}

function toTls(entry: EntryValue, { host }: Address): Tls {
  if (!entry.ssl) return { kind: "off" };
  return { kind: "on", verify: entry.verify, name: host.kind === "name" ? host.text : undefined };
}

function toCheck({ disabled, port, path }: EntryValue["check"]): Check {
  return disabled ? { kind: "off" } : { kind: "on", port, path };
}
