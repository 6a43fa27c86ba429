import type { Etcd3 } from "etcd3";
import { formatStatus, parseApplied } from "./keys.ts";
import { afterPut, NOTHING_PUBLISHED, type Published, type Put, type Report } from "./schedule.ts";
import { CALL_DEADLINE_MS } from "../etcd/client.ts";
import { grantLease, type Lease, renewLease } from "../etcd/lease.ts";
import { ownerOf, secondName } from "./owner.ts";
import { type NodeKeyRevisions, type NodeKeysRead, putNodeKeys, readNodeKeys } from "./store.ts";

/** What tells this node from another one of the same id, over restarts. */
export interface NodeInstance {
  current(): string;
  /** Another process has the same: it runs on a copy of this node's state directory. */
  renew(): Promise<void>;
}

/** Whose keys are put, and where. */
export interface NodeLeaseOptions {
  readonly kv: Etcd3;
  readonly nodesPrefix: string;
  readonly node: string;
  readonly instance: NodeInstance;
  readonly ttlSeconds: number;
  /** Ends calls to etcd. */
  readonly signal: AbortSignal;
}

/** The lease of this node, and the keys that are put under it. */
export interface NodeLease extends Lease {
  readonly renewedAt: number;
  /** Undefined: the keys have to be looked at before the next put. */
  readonly owned: OwnedKeys | undefined;
  /** Keys were put under this lease, so what replaced them since was put by another process. */
  readonly hasPut: boolean;
}

/** A lease whose keys were looked at: they may be put. */
export interface OwningLease extends NodeLease {
  readonly owned: OwnedKeys;
}

/** The keys that this node owns: their name below the nodes prefix, and what stands there. */
export interface OwnedKeys {
  readonly name: string;
  readonly lookedAt: number;
  readonly revisions: NodeKeyRevisions;
  readonly published: Published;
}

const CALL_LIMIT_MS = 3_000;

const now = () => performance.now();
const prefixOf = ({ nodesPrefix }: NodeLeaseOptions, name: string) => `${nodesPrefix}${name}/`;
const boundsOf = ({ signal }: NodeLeaseOptions) => ({ limitMs: CALL_LIMIT_MS, signal });

/** Grants a lease; its keys were not looked at yet. */
export async function grantNodeLease(options: NodeLeaseOptions): Promise<NodeLease> {
  const renewedAt = now();
  const lease = await grantLease(options.kv, options.ttlSeconds, boundsOf(options));
  return { ...lease, renewedAt, owned: undefined, hasPut: false };
}

/** When the lease is to be renewed. */
export function renewalDue(lease: NodeLease): number {
  return lease.renewedAt + ttlMs(lease) / 3;
}

/** Renews the lease; undefined: it has ended, and the keys went with it. */
export async function renewed(lease: NodeLease, options: NodeLeaseOptions): Promise<NodeLease | undefined> {
  const renewedAt = now();
  const limitMs = Math.min(CALL_DEADLINE_MS, Math.floor(ttlMs(lease) / 3));
  const renewal = await renewLease(options.kv, lease.id, { ...boundsOf(options), limitMs });
  return renewal === "renewed" ? { ...lease, renewedAt } : undefined;
}

/** When the keys are to be looked at again: a node that has the name may have gone, and the keys may have been deleted. */
export function lookDue(lease: OwningLease): number {
  return lease.owned.lookedAt + ttlMs(lease);
}

/** Looks at the keys when that is due. */
export async function withOwnedKeys(lease: NodeLease, options: NodeLeaseOptions): Promise<OwningLease> {
  const { owned } = lease;
  if (owned !== undefined && now() < lookDue({ ...lease, owned })) return { ...lease, owned };
  return { ...lease, owned: sameOrNew(owned, await findKeys(lease, options)) };
}

interface KeysOfName extends NodeKeysRead {
  readonly name: string;
}

/** The keys under the name that the node may use: its id, unless another node has that. */
async function findKeys({ id: leaseId, hasPut }: NodeLease, options: NodeLeaseOptions): Promise<KeysOfName> {
  const { kv, node, instance } = options;
  const read = async (name: string): Promise<KeysOfName> => ({
    ...await readNodeKeys(kv, prefixOf(options, name), boundsOf(options)),
    name,
  });
  const own = await read(node);
  const owner = ownerOf(own.keys, { instance: instance.current(), leaseId });
  const isCopy = owner === "this-node" && hasPut;
  if (isCopy) await instance.renew();
  return isCopy || owner === "another" ? await read(secondName(node, instance.current())) : own;
}

function sameOrNew(owned: OwnedKeys | undefined, { name, keys, revisions }: KeysOfName): OwnedKeys {
  const isSame = owned?.name === name && owned.revisions.applied === revisions.applied &&
    owned.revisions.status === revisions.status;
  if (isSame) return { ...owned, lookedAt: now() };
  const left = keys.status && keys.applied && parseApplied(keys.applied.value);
  const applied = left?.ok === true ? left.value : undefined;
  return { name, lookedAt: now(), revisions, published: { ...NOTHING_PUBLISHED, applied } };
}

/** Puts what is due. Keys that another process has put meanwhile stay, and are looked at before the next put. */
export async function withPut(
  lease: OwningLease,
  { step, report }: { readonly step: Put; readonly report: Report },
  options: NodeLeaseOptions,
): Promise<NodeLease> {
  const { owned, hasPut } = lease;
  const { node, instance } = options;
  const isFirst = owned.published.status === undefined;
  // What an earlier run left has that run's lease, which ends.
  const applied = report.applied ?? owned.published.applied;
  const putsApplied = step.applied || isFirst && applied !== undefined;
  const status = { ...report.status, revision: applied ?? 0n };
  const isBack = isFirst && hasPut && owned.name === node;
  const revisions = await putNodeKeys(options.kv, {
    prefix: prefixOf(options, owned.name),
    leaseId: lease.id,
    revisions: owned.revisions,
    applied: putsApplied ? `${applied}` : undefined,
    status: step.status ? formatStatus(status) : undefined,
    leftover: isBack ? prefixOf(options, secondName(node, instance.current())) : undefined,
  }, boundsOf(options));
  if (revisions === undefined) return { ...lease, owned: undefined };
  const published = afterPut(owned.published, step, { ...report, now: now() });
  return { ...lease, hasPut: true, owned: { ...owned, revisions, published } };
}

function ttlMs({ ttlSeconds }: NodeLease): number {
  return ttlSeconds * 1_000;
}
