import * as v from "valibot";
import type { Parsed } from "../registry/address.ts";
import { MAX_VALUE_BYTES } from "../registry/entry.ts";
import type { RawEntry } from "../registry/snapshot.ts";

/** What a node writes into its key `status`. Counts and times are never negative. */
export interface NodeStatus {
  readonly node: string;
  /** Random, kept in the state directory: tells a restarted node from a second one of the same id. */
  readonly instance: string;
  /** The newest registry revision that the node was verified to serve; 0: none yet. */
  readonly revision: bigint;
  readonly lagMs: number;
  /** The start of the digest of the base that it runs. */
  readonly base: string;
  readonly servers: { readonly total: number; readonly up: number };
  /** Servers, as `<service>/<id>`, that get no new request and still hold some. */
  readonly draining: readonly string[];
  readonly rejections: number;
  /** How many servers vanished from the registry and are still served. */
  readonly held: number;
  readonly plan: "runtime" | "reload" | "none";
  readonly tookMs: number;
  /** It serves what an earlier run left. */
  readonly stale: boolean;
  /** When it wrote this, as RFC 3339. */
  readonly at: string;
  readonly version: string;
  /** Where its admin endpoints are. */
  readonly admin: string;
}

/** One node by its keys. They go with its lease, so a node whose keys exist is alive. */
export interface NodeView {
  /** Its id; a second node of the same id has `~` and four hex digits appended. */
  readonly node: string;
  /** The newest registry revision that it is verified to serve; undefined: none yet, or the key cannot be read. */
  readonly applied: bigint | undefined;
  /** Undefined: there is none, or it cannot be read. */
  readonly status: NodeStatus | undefined;
  /** False: a key was put without a lease, so the node counts as alive until the key is deleted. */
  readonly hasLease: boolean;
}

/** A key below the nodes prefix that cannot be used. Escape both before they are shown. */
export interface BadNodeKey {
  readonly key: string;
  readonly reason: string;
}

/** All keys below the nodes prefix; nodes in the order of their names. */
export interface NodesView {
  readonly nodes: readonly NodeView[];
  readonly bad: readonly BadNodeKey[];
}

const NODE_NAME = /^[A-Za-z0-9._:-]{1,128}(~[0-9a-f]{4})?$/;
const SERVER_NAME = /^[A-Za-z0-9._:-]{1,128}\/[A-Za-z0-9._:-]{1,128}$/;
/** As many digits as a revision of etcd has at most. */
const REVISION = /^\d{1,19}$/;

const text = v.pipe(v.string("is not a string"), v.maxLength(500, "is too long"));
const count = v.pipe(
  v.number("is not a number"),
  v.safeInteger("is not an integer"),
  v.minValue(0, "is negative"),
);
const object = ({ input }: { readonly input: unknown }) =>
  input === undefined ? "is missing" : "is not a JSON object";
const server = v.pipe(v.string("is not a string"), v.regex(SERVER_NAME, "is not <service>/<id>"));

const STATUS = v.object({
  node: text,
  instance: text,
  revision: v.pipe(count, v.transform((revision: number) => BigInt(revision))),
  lagMs: count,
  base: text,
  servers: v.object({ total: count, up: count }, object),
  draining: v.array(server, "is not an array"),
  rejections: count,
  held: v.optional(count, 0),
  plan: v.picklist(["runtime", "reload", "none"], "is not runtime, reload or none"),
  tookMs: count,
  stale: v.boolean("is not true or false"),
  at: v.pipe(text, v.isoTimestamp("is not a time of RFC 3339")),
  version: text,
  admin: text,
}, object);

/** The value of a status key. */
export function formatStatus(status: NodeStatus): string {
  return JSON.stringify({ ...status, revision: Number(status.revision) });
}

/** Reads the value of a status key. Unknown fields are ignored, because a fleet may run several versions. */
export function parseStatus(value: Uint8Array): Parsed<NodeStatus> {
  if (value.length > MAX_VALUE_BYTES) {
    return { ok: false, reason: `value has more than ${MAX_VALUE_BYTES} bytes` };
  }
  const parsed = v.safeParse(STATUS, jsonOf(value), { abortEarly: true });
  if (parsed.success) return { ok: true, value: parsed.output };
  const [issue] = parsed.issues;
  return { ok: false, reason: `${v.getDotPath(issue) ?? "value"} ${issue.message}` };
}

/** Reads the value of an applied key. */
export function parseApplied(value: Uint8Array): Parsed<bigint> {
  const digits = new TextDecoder().decode(value.subarray(0, 20));
  if (!REVISION.test(digits)) return { ok: false, reason: "value is not a revision" };
  return { ok: true, value: BigInt(digits) };
}

/** Reads all keys below the nodes prefix. A node with a bad value is listed without that value. */
export function parseNodes(entries: Iterable<RawEntry>, prefix: string): NodesView {
  const nodes = new Map<string, NodeView>();
  const bad: BadNodeKey[] = [];
  for (const { key, value, hasLease } of entries) {
    const [node = "", what = "", ...others] = key.slice(prefix.length).split("/");
    if (!NODE_NAME.test(node) || others.length > 0 || (what !== "applied" && what !== "status")) {
      bad.push({ key, reason: "key is not <prefix><node-id>/applied or <prefix><node-id>/status" });
      continue;
    }
    const before = nodes.get(node) ?? { node, applied: undefined, status: undefined, hasLease: true };
    const known = { ...before, hasLease: before.hasLease && hasLease };
    const read = what === "applied" ? parseApplied(value) : parseStatus(value);
    if (!read.ok) bad.push({ key, reason: read.reason });
    nodes.set(node, read.ok ? { ...known, [what]: read.value } : known);
  }
  return { nodes: [...nodes.values()].sort((a, b) => a.node < b.node ? -1 : 1), bad };
}

/** What to wait for at a node. */
export interface Passage {
  readonly revision: bigint;
  /** A server, as `<service>/<id>`, whose last request must be done. */
  readonly server?: string | undefined;
}

/** Whether a node serves the revision or a later one, and holds no request of the server. Unknown counts as no. */
export function hasPassed({ applied, status }: NodeView, { revision, server }: Passage): boolean {
  if (applied === undefined || applied < revision) return false;
  return server === undefined || status?.draining.includes(server) === false;
}

function jsonOf(value: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(value));
  } catch {
    return null;
  }
}
