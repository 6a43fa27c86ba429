import type { Etcd3 } from "etcd3";
import type { Lease } from "../etcd/lease.ts";
import type { Instance } from "./instance.ts";
import { formatStatus, parseApplied } from "./keys.ts";
import { ownerOf, secondName } from "./owner.ts";
import { afterPut, NOTHING_PUBLISHED, type Published, type Put, type Report } from "./schedule.ts";
import { type OfKeys, putNodeKeys, readNodeKeys } from "./store.ts";

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

/** The keys that this node owns, as they were seen last. */
export interface OwnedKeys {
  /** Their name below the nodes prefix. */
  readonly name: string;
  /** When to look at them again: they may have been deleted, and another node of this id may be gone. */
  readonly lookAtMs: number;
  readonly revisions: OfKeys<string>;
  readonly published: Published;
}

/** A call to etcd takes no longer. */
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
  const { kv, node, instance } = options;
  const read = async (name: string) => ({
    name,
    keys: await readNodeKeys(kv, prefixOf(options, name), boundsOf(options)),
  });
  const own = await read(node);
  const owner = ownerOf(own.keys.status, { instance: instance.current(), leaseId });
  const isCopy = owner === "this-node" && hasPut;
  if (isCopy) await instance.renew();
  return isCopy || owner === "another" ? await read(secondName(node, instance.current())) : own;
}

/** What is put, and under which lease. */
export interface DuePut {
  readonly lease: NodeLease;
  readonly step: Put;
  readonly report: Report;
}

/** Puts what is due. Returns undefined, and puts nothing, if another process has put the keys meanwhile. */
export async function putDue(
  owned: OwnedKeys,
  { lease, step, report }: DuePut,
  options: NodeKeysOptions,
): Promise<OwnedKeys | undefined> {
  const { node, instance } = options;
  const isFirst = owned.published.status === undefined;
  // What an earlier run left has that run's lease, which ends.
  const applied = report.applied ?? owned.published.applied;
  const putsApplied = step.applied || isFirst && applied !== undefined;
  const status = { ...report.status, revision: applied ?? 0n };
  const isBack = isFirst && lease.hasPut && owned.name === node;
  const revisions = await putNodeKeys(options.kv, {
    prefix: prefixOf(options, owned.name),
    leaseId: lease.id,
    revisions: owned.revisions,
    values: {
      applied: putsApplied ? `${applied}` : undefined,
      status: step.status ? formatStatus(status) : undefined,
    },
    leftover: isBack ? prefixOf(options, secondName(node, instance.current())) : undefined,
  }, boundsOf(options));
  if (revisions === undefined) return undefined;
  const published = afterPut(owned.published, step, { ...report, now: performance.now() });
  return { ...owned, revisions, published };
}
