import type { Etcd3 } from "etcd3";
import { formatStatus, parseApplied } from "./keys.ts";
import { afterPut, type News, NOTHING_PUBLISHED, type Published, type Put } from "./schedule.ts";
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
export interface TenureOptions {
  readonly kv: Etcd3;
  readonly nodesPrefix: string;
  readonly node: string;
  readonly instance: NodeInstance;
  readonly ttlSeconds: number;
  /** Ends calls to etcd. */
  readonly signal: AbortSignal;
}

/** A lease, and the name under which keys are put with it. */
export interface Tenure {
  readonly lease: Lease;
  readonly renewedAt: number;
  /** Undefined: the keys have to be looked at before the next put. */
  readonly claim: Claim | undefined;
  /** Keys were put under this lease, so whoever has taken their place since is another process. */
  readonly hasPut: boolean;
}

/** A tenure whose keys were looked at. */
export interface ClaimedTenure extends Tenure {
  readonly claim: Claim;
}

/** A name below the nodes prefix, and what stands there. */
export interface Claim {
  readonly name: string;
  readonly lookedAt: number;
  readonly revisions: NodeKeyRevisions;
  readonly published: Published;
}

const CALL_LIMIT_MS = 3_000;

const now = () => performance.now();
const prefixOf = ({ nodesPrefix }: TenureOptions, name: string) => `${nodesPrefix}${name}/`;
const boundsOf = ({ signal }: TenureOptions) => ({ limitMs: CALL_LIMIT_MS, signal });

/** Begins with a lease and no claim. */
export async function beginTenure(options: TenureOptions): Promise<Tenure> {
  const renewedAt = now();
  const lease = await grantLease(options.kv, options.ttlSeconds, boundsOf(options));
  return { lease, renewedAt, claim: undefined, hasPut: false };
}

/** When the lease is to be renewed. */
export function renewalDue(tenure: Tenure): number {
  return tenure.renewedAt + ttlMs(tenure) / 3;
}

/** Renews the lease; undefined: it has ended, and the keys went with it. */
export async function renewed(tenure: Tenure, options: TenureOptions): Promise<Tenure | undefined> {
  const renewedAt = now();
  const limitMs = Math.min(CALL_DEADLINE_MS, Math.floor(ttlMs(tenure) / 3));
  const renewal = await renewLease(options.kv, tenure.lease.id, { ...boundsOf(options), limitMs });
  return renewal === "renewed" ? { ...tenure, renewedAt } : undefined;
}

/** When the keys are to be looked at again: a node that has the name may have gone, and somebody may have deleted them. */
export function lookDue(tenure: ClaimedTenure): number {
  return tenure.claim.lookedAt + ttlMs(tenure);
}

/** Looks at the keys when that is due. */
export async function withClaim(tenure: Tenure, options: TenureOptions): Promise<ClaimedTenure> {
  const { claim } = tenure;
  if (claim !== undefined && now() < lookDue({ ...tenure, claim })) return { ...tenure, claim };
  return { ...tenure, claim: sameOrNew(claim, await findKeys(tenure, options)) };
}

interface KeysOfName extends NodeKeysRead {
  readonly name: string;
}

/** The keys under the name that the node may use: its id, unless another node has that. */
async function findKeys({ lease, hasPut }: Tenure, options: TenureOptions): Promise<KeysOfName> {
  const { kv, node, instance } = options;
  const read = async (name: string): Promise<KeysOfName> => ({
    ...await readNodeKeys(kv, prefixOf(options, name), boundsOf(options)),
    name,
  });
  const own = await read(node);
  const owner = ownerOf(own.keys, { instance: instance.current(), leaseId: lease.id });
  const isCopy = owner === "this-node" && hasPut;
  if (isCopy) await instance.renew();
  return isCopy || owner === "another" ? await read(secondName(node, instance.current())) : own;
}

function sameOrNew(claim: Claim | undefined, { name, keys, revisions }: KeysOfName): Claim {
  const isSame = claim?.name === name && claim.revisions.applied === revisions.applied &&
    claim.revisions.status === revisions.status;
  if (isSame) return { ...claim, lookedAt: now() };
  const left = keys.status && keys.applied && parseApplied(keys.applied.value);
  const applied = left?.ok === true ? left.value : undefined;
  return { name, lookedAt: now(), revisions, published: { ...NOTHING_PUBLISHED, applied } };
}

/** Puts what is due. Keys that somebody else has put meanwhile stay, and the claim is given up. */
export async function withPut(
  tenure: ClaimedTenure,
  { step, news }: { readonly step: Put; readonly news: News },
  options: TenureOptions,
): Promise<Tenure> {
  const { lease, claim, hasPut } = tenure;
  const { node, instance } = options;
  const isFirst = claim.published.status === undefined;
  // What an earlier run left stands under its lease, which ends.
  const applied = news.applied ?? claim.published.applied;
  const putsApplied = step.applied || isFirst && applied !== undefined;
  const status = { ...news.status, revision: applied ?? 0n };
  const isBack = isFirst && hasPut && claim.name === node;
  const revisions = await putNodeKeys(options.kv, {
    prefix: prefixOf(options, claim.name),
    leaseId: lease.id,
    revisions: claim.revisions,
    applied: putsApplied ? `${applied}` : undefined,
    status: step.status ? formatStatus(status) : undefined,
    leftover: isBack ? prefixOf(options, secondName(node, instance.current())) : undefined,
  }, boundsOf(options));
  if (revisions === undefined) return { ...tenure, claim: undefined };
  const published = afterPut(claim.published, step, { ...news, now: now() });
  return { ...tenure, hasPut: true, claim: { ...claim, revisions, published } };
}

function ttlMs({ lease }: Tenure): number {
  return lease.ttlSeconds * 1_000;
}
