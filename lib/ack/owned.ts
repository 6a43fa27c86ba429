import type { Etcd3, IKeyValue } from "etcd3";
import { within } from "../util/time.ts";
import type { Lease } from "../etcd/lease.ts";
import { keyText } from "../etcd/read.ts";
import type { Instance } from "./instance.ts";
import { formatStatus, parseApplied } from "./keys.ts";
import { ownerOf, secondName } from "./owner.ts";
import { afterPut, NOTHING_PUBLISHED, type Published, type Put, type Report } from "./schedule.ts";

/** Whose keys are put, and where. */
export interface NodeKeysOptions {
  readonly kv: Etcd3;
  readonly nodesPrefix: string;
  readonly node: string;
  readonly instance: Instance;
  /** Ends calls to etcd. */
  readonly signal: AbortSignal;
}

/** The lease of this node's keys. */
export interface NodeLease extends Lease {
  /** Keys were put under this lease, so what replaced them since was put by another process. */
  readonly hasPut: boolean;
}

/** One value for each of a node's two keys. */
interface OfKeys<T> {
  readonly applied: T;
  readonly status: T;
}

/** The keys that this node owns, as they were seen last. */
export interface OwnedKeys {
  /** Their name below the nodes prefix. */
  readonly name: string;
  /** When to look at them again: they may have been deleted, and another node of this id may be gone. */
  readonly lookAtMs: number;
  /** "0" for a missing key. */
  readonly revisions: OfKeys<string>;
  readonly published: Published;
}

/** The time limit of a call to etcd. */
export const CALL_LIMIT_MS = 3_000;

const boundsOf = ({ signal }: NodeKeysOptions) => ({ limitMs: CALL_LIMIT_MS, signal });
const prefixOf = ({ nodesPrefix }: NodeKeysOptions, name: string) => `${nodesPrefix}${name}/`;

/** Looks at the keys under the name that the node may use: its id, unless another node has that. */
export async function lookAtKeys(
  before: OwnedKeys | undefined,
  lease: NodeLease,
  options: NodeKeysOptions,
): Promise<OwnedKeys> {
  const { name, keys: { applied, status } } = await findKeys(lease, options);
  const lookAtMs = performance.now() + lease.ttlMs;
  const revisions = { applied: applied?.mod_revision ?? "0", status: status?.mod_revision ?? "0" };
  const isSame = before?.name === name && before.revisions.applied === revisions.applied &&
    before.revisions.status === revisions.status;
  if (isSame) return { ...before, lookAtMs };
  const left = status && applied && parseApplied(applied.value);
  const published = { ...NOTHING_PUBLISHED, applied: left?.ok === true ? left.value : undefined };
  return { name, lookAtMs, revisions, published };
}

async function findKeys({ id: leaseId, hasPut }: NodeLease, options: NodeKeysOptions) {
  const { node, instance } = options;
  const read = async (name: string) => ({ name, keys: await readKeys(prefixOf(options, name), options) });
  const own = await read(node);
  const owner = ownerOf(own.keys.status, { instance: instance.current(), leaseId });
  const isCopy = owner === "this-node" && hasPut;
  if (isCopy) await instance.renew();
  return isCopy || owner === "another" ? await read(secondName(node, instance.current())) : own;
}

async function readKeys(prefix: string, options: NodeKeysOptions): Promise<OfKeys<IKeyValue | undefined>> {
  const { kvs } = await within(options.kv.getAll().prefix(prefix).exec(), boundsOf(options));
  const find = (what: string) => kvs.find(({ key }) => keyText(key) === `${prefix}${what}`);
  return { applied: find("applied"), status: find("status") };
}

/** What is put, and under which lease. */
export interface DuePut {
  readonly lease: NodeLease;
  readonly step: Put;
  readonly report: Report;
}

/**
 * Puts what is due, in one revision. Keys that another process has put meanwhile stay as they are: undefined, they have to
 * be looked at again.
 */
export async function putDue(
  owned: OwnedKeys,
  { lease, step, report }: DuePut,
  options: NodeKeysOptions,
): Promise<OwnedKeys | undefined> {
  const { kv, node, instance } = options;
  const { name, revisions, published } = owned;
  const prefix = prefixOf(options, name);
  const isFirst = published.status === undefined;
  // What an earlier run left has that run's lease, which ends.
  const applied = report.applied ?? published.applied;
  const putsApplied = step.applied || isFirst && applied !== undefined;
  const status = formatStatus({ ...report.status, revision: applied ?? 0n });
  const put = (what: string, value: string) => kv.put(`${prefix}${what}`).value(value).lease(lease.id);
  const isBack = isFirst && lease.hasPut && name === node;
  const leftover = prefixOf(options, secondName(node, instance.current()));
  const call = kv.if(`${prefix}applied`, "Mod", "==", revisions.applied)
    .and(`${prefix}status`, "Mod", "==", revisions.status)
    .then(
      ...(putsApplied ? [put("applied", `${applied}`)] : []),
      ...(step.status ? [put("status", status)] : []),
      ...(isBack ? [kv.delete().prefix(leftover)] : []),
    ).commit();
  const { succeeded, header: { revision } } = await within(call, boundsOf(options));
  if (!succeeded) return undefined;
  return {
    ...owned,
    revisions: {
      applied: putsApplied ? revision : revisions.applied,
      status: step.status ? revision : revisions.status,
    },
    published: afterPut(published, step, { ...report, now: performance.now() }),
  };
}
