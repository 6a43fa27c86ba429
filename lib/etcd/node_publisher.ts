import { type Etcd3, EtcdPermissionDeniedError } from "etcd3";
import { backoffDelay } from "../backoff.ts";
import { ControllerError, messageOf } from "../errors.ts";
import { formatStatus, parseApplied } from "../node_status.ts";
import {
  afterPut,
  type News,
  nextPut,
  NOTHING_PUBLISHED,
  type Published,
  type PutStep,
} from "../publication.ts";
import { resolvesWithin, sleep } from "../sleep.ts";
import { CALL_DEADLINE_MS } from "./client.ts";
import { grantLease, isLeaseEnded, type Lease, renewLease, revokeLease } from "./lease.ts";
import { ownerOf, secondName } from "./node_claim.ts";
import { type NodeKeyRevisions, type NodeKeysRead, putNodeKeys, readNodeKeys } from "./node_store.ts";

/** What tells this node from another one of the same id, over restarts. */
export interface NodeInstance {
  current(): string;
  /** Another process has the same: it runs on a copy of this node's state directory. */
  renew(): Promise<void>;
}

export interface PublisherOptions {
  readonly kv: Etcd3;
  readonly nodesPrefix: string;
  readonly node: string;
  readonly instance: NodeInstance;
  readonly ttlSeconds: number;
  readonly onEvent: (event: PublisherEvent) => void;
}

/** What happened to the keys of the node. */
export type PublisherEvent =
  /** They stand under this name: the node's id, or another one while another node has that. */
  | { readonly kind: "published"; readonly name: string; readonly isSecond: boolean }
  /** They cannot be put for now, or are not allowed to be. */
  | { readonly kind: "failing"; readonly reason: string; readonly refused: boolean };

/** Keeps the keys of one node in etcd. */
export interface NodePublisher {
  /** Takes what is to be told from now on. */
  offer(news: News): void;
  /** Ends the publishing and takes the keys away. Takes about `limitMs` at most; never rejects. */
  stop(limitMs: number): Promise<void>;
}

/** A lease, and the name under which keys are put with it. Replaced as a whole when the lease ends. */
interface Tenure {
  readonly lease: Lease;
  renewedAt: number;
  claim: Claim | undefined;
  /** Keys were put under this lease, so whoever has taken their place since is another process. */
  hasPut: boolean;
}

interface Claim {
  readonly name: string;
  readonly lookedAt: number;
  readonly revisions: NodeKeyRevisions;
  readonly published: Published;
}

const RETRY = { minMs: 100, maxMs: 2_000 };
/** What is not allowed is asked again, for roles change; but rarely. */
const REFUSED_RETRY = { minMs: 15_000, maxMs: 60_000 };
const CALL_LIMIT_MS = 3_000;

/**
 * Publishes under a lease of its own until it is stopped, whatever happens to etcd or to this process. Every put is a
 * transaction on the keys as they were seen last: keys that somebody else has put meanwhile are looked at first.
 */
export function publishNode(options: PublisherOptions): NodePublisher {
  const { kv, nodesPrefix, node, instance, onEvent } = options;
  const stop = new AbortController();
  const bounds = { limitMs: CALL_LIMIT_MS, signal: stop.signal };
  const now = () => performance.now();
  const prefixOf = (name: string) => `${nodesPrefix}${name}/`;
  let news: News | undefined;
  let tenure: Tenure | undefined;
  let told = "";
  let isFresh = false;
  let woken = new AbortController();

  const run = async () => {
    for (let attempt = 0; !stop.signal.aborted;) {
      try {
        const until = await advance();
        attempt = 0;
        await rest(until - now());
      } catch (error) {
        // By the time that etcd answers again, it may hold something else.
        if (tenure !== undefined) tenure.claim = undefined;
        if (!stop.signal.aborted) await backOff(error, ++attempt);
      }
    }
  };

  /** Does the next thing that is due, and returns when there may be another. */
  const advance = async (): Promise<number> => {
    isFresh = false;
    if (news === undefined) return Infinity;
    tenure ??= await begin();
    if (now() >= renewalDue(tenure) && !await isRenewed(tenure)) return now();
    tenure.claim = await claimFor(tenure);
    const step = nextPut(news, tenure.claim.published, now());
    if (step.kind === "put") {
      await put(step, { tenure, claim: tenure.claim, news });
      return now();
    }
    return Math.min(renewalDue(tenure), tenure.claim.lookedAt + ttlMs(tenure), step.at ?? Infinity);
  };

  const begin = async (): Promise<Tenure> => {
    const renewedAt = now();
    const lease = await grantLease(kv, options.ttlSeconds, bounds);
    return { lease, renewedAt, claim: undefined, hasPut: false };
  };

  const isRenewed = async (held: Tenure): Promise<boolean> => {
    const askedAt = now();
    const limitMs = Math.min(CALL_DEADLINE_MS, Math.floor(ttlMs(held) / 3));
    const isHeld = await renewLease(kv, held.lease.id, { ...bounds, limitMs }) === "renewed";
    if (isHeld) held.renewedAt = askedAt;
    // The keys went with it.
    else tenure = undefined;
    return isHeld;
  };

  /**
   * The name to publish under: the node's id, unless another node has it. Now and then the keys are looked at again: that
   * node may have gone, and somebody may have deleted what stands there.
   */
  const claimFor = async (held: Tenure): Promise<Claim> => {
    const { claim, lease: { id: leaseId } } = held;
    if (claim !== undefined && now() < claim.lookedAt + ttlMs(held)) return claim;
    const own = await readNodeKeys(kv, prefixOf(node), bounds);
    const owner = ownerOf(own.keys, { instance: instance.current(), leaseId });
    if (owner === "this-node" && held.hasPut) await instance.renew();
    else if (owner !== "another") return sameOrNew(claim, { ...own, name: node });
    const second = secondName(node, instance.current());
    return sameOrNew(claim, { ...await readNodeKeys(kv, prefixOf(second), bounds), name: second });
  };

  const sameOrNew = (claim: Claim | undefined, found: NodeKeysRead & { name: string }): Claim => {
    const { name, keys, revisions } = found;
    const isSame = claim?.name === name && claim.revisions.applied === revisions.applied &&
      claim.revisions.status === revisions.status;
    if (isSame) return { ...claim, lookedAt: now() };
    const left = keys.status && keys.applied && parseApplied(keys.applied.value);
    const inherited = left?.ok === true ? left.value : undefined;
    return { name, lookedAt: now(), revisions, published: { ...NOTHING_PUBLISHED, applied: inherited } };
  };

  const put = async (
    step: Extract<PutStep, { kind: "put" }>,
    { tenure: held, claim, news }: { tenure: Tenure; claim: Claim; news: News },
  ): Promise<void> => {
    const isFirst = claim.published.status === undefined;
    const applied = news.applied ?? claim.published.applied;
    const putsApplied = step.applied || isFirst && applied !== undefined;
    const status = { ...news.status, revision: applied ?? 0n };
    const revisions = await tried(held, () =>
      putNodeKeys(kv, {
        prefix: prefixOf(claim.name),
        leaseId: held.lease.id,
        revisions: claim.revisions,
        applied: putsApplied ? `${applied}` : undefined,
        status: step.status ? formatStatus(status) : undefined,
        leftover: isFirst && held.hasPut && claim.name === node
          ? prefixOf(secondName(node, instance.current()))
          : undefined,
      }, bounds));
    if (revisions === undefined) {
      held.claim = undefined;
      return;
    }
    held.hasPut = true;
    const published = afterPut(claim.published, step, { ...news, now: now() });
    held.claim = { ...claim, revisions, published };
    tell({ kind: "published", name: claim.name, isSecond: claim.name !== node });
  };

  /** A put whose answer is lost may have been made, so the keys are looked at before the next one. */
  const tried = async <T>(held: Tenure, call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      held.claim = undefined;
      if (isLeaseEnded(error)) tenure = undefined;
      throw error;
    }
  };

  const backOff = async (error: unknown, attempt: number): Promise<void> => {
    const refused = error instanceof ControllerError && error.cause instanceof EtcdPermissionDeniedError;
    tell({ kind: "failing", reason: messageOf(error), refused });
    const bounds = refused ? REFUSED_RETRY : RETRY;
    await sleep(backoffDelay({ ...bounds, attempt, random: Math.random() }), stop.signal);
  };

  /** The same is told once. */
  const tell = (event: PublisherEvent) => {
    const text = JSON.stringify(event.kind === "failing" ? [event.kind, event.refused] : event);
    if (text === told) return;
    told = text;
    onEvent(event);
  };

  const rest = async (ms: number): Promise<void> => {
    if (ms <= 0 || isFresh) return;
    woken = new AbortController();
    await sleep(Math.min(ms, LONGEST_MS), AbortSignal.any([woken.signal, stop.signal]));
  };

  const running = run();
  return {
    offer: (next) => {
      news = next;
      isFresh = true;
      woken.abort();
    },
    stop: async (limitMs) => {
      stop.abort();
      await resolvesWithin(running, limitMs);
      if (tenure === undefined) return;
      // etcd that cannot be told ends the lease by itself.
      await revokeLease(kv, tenure.lease.id, { limitMs }).catch(() => {});
    },
  };
}

/** The longest time that a timer takes is longer. */
const LONGEST_MS = 60_000;

function ttlMs({ lease }: Tenure): number {
  return lease.ttlSeconds * 1_000;
}

function renewalDue(tenure: Tenure): number {
  return tenure.renewedAt + ttlMs(tenure) / 3;
}
