import { EtcdPermissionDeniedError } from "etcd3";
import { backoffDelay } from "../util/backoff.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import { nextPut, type Report } from "./schedule.ts";
import { resolvesWithin, sleep } from "../util/time.ts";
import { isLeaseEnded, revokeLease } from "../etcd/lease.ts";
import {
  grantNodeLease,
  lookDue,
  type NodeLease,
  type NodeLeaseOptions,
  type OwnedKeys,
  renewalDue,
  renewed,
  withOwnedKeys,
  withPut,
} from "./lease.ts";

export interface PublisherOptions extends Omit<NodeLeaseOptions, "signal"> {
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
  /** Takes what is to be published from now on. */
  offer(report: Report): void;
  /** Ends the publishing and takes the keys away. Takes about `limitMs` at most; never rejects. */
  stop(limitMs: number): Promise<void>;
}

const RETRY = { minMs: 100, maxMs: 2_000 };
/** What is not allowed is asked again, for roles change; but rarely. */
const REFUSED_RETRY = { minMs: 15_000, maxMs: 60_000 };
/** The longest time that a timer takes is longer. */
const LONGEST_MS = 60_000;

/**
 * Publishes under a lease of its own until it is stopped, whatever happens to etcd or to this process. Every put is a
 * transaction on the keys as they were seen last: keys that somebody else has put meanwhile are looked at first.
 */
export function publishNode(given: PublisherOptions): NodePublisher {
  const stop = new AbortController();
  const options: NodeLeaseOptions = { ...given, signal: stop.signal };
  const events = createEvents(given);
  let report: Report | undefined;
  let isFresh = false;
  let woken = new AbortController();
  let lease: NodeLease | undefined;

  const run = async () => {
    for (let attempt = 0; !stop.signal.aborted;) {
      try {
        const until = await advance();
        attempt = 0;
        await rest(until - performance.now());
      } catch (error) {
        lease = afterError(lease, error);
        if (!stop.signal.aborted) await sleep(events.failing(error, ++attempt), stop.signal);
      }
    }
  };

  /** Does the next thing that is due, and returns when there may be another. */
  const advance = async (): Promise<number> => {
    isFresh = false;
    if (report === undefined) return Infinity;
    lease ??= await grantNodeLease(options);
    if (performance.now() >= renewalDue(lease)) lease = await renewed(lease, options);
    if (lease === undefined) return 0;
    const owning = await withOwnedKeys(lease, options);
    lease = owning;
    const step = nextPut(report, owning.owned.published, performance.now());
    if (step.kind === "wait") return Math.min(renewalDue(owning), lookDue(owning), step.at ?? Infinity);
    lease = await withPut(owning, { step, report }, options);
    if (lease.owned !== undefined) events.published(lease.owned);
    return 0;
  };

  const rest = async (ms: number): Promise<void> => {
    if (ms <= 0 || isFresh) return;
    woken = new AbortController();
    await sleep(Math.min(ms, LONGEST_MS), AbortSignal.any([woken.signal, stop.signal]));
  };

  const running = run();
  return {
    offer: (next) => {
      report = next;
      isFresh = true;
      woken.abort();
    },
    stop: async (limitMs) => {
      stop.abort();
      await resolvesWithin(running, limitMs);
      if (lease === undefined) return;
      // etcd that cannot be asked ends the lease by itself.
      await revokeLease(options.kv, lease.id, { limitMs }).catch(() => {});
    },
  };
}

/** A put whose answer is lost may have been made, and by the time that etcd answers again it may hold something else. */
function afterError(lease: NodeLease | undefined, error: unknown): NodeLease | undefined {
  return lease === undefined || isLeaseEnded(error) ? undefined : { ...lease, owned: undefined };
}

/** Tells what happens to the keys, the same only once. */
function createEvents({ node, onEvent }: Pick<PublisherOptions, "node" | "onEvent">) {
  let last = "";
  const tell = (event: PublisherEvent) => {
    const text = JSON.stringify(event.kind === "failing" ? [event.kind, event.refused] : event);
    if (text === last) return;
    last = text;
    onEvent(event);
  };
  return {
    published: ({ name }: OwnedKeys) => tell({ kind: "published", name, isSecond: name !== node }),
    /** Returns after how many milliseconds to try again. */
    failing: (error: unknown, attempt: number): number => {
      const refused = error instanceof ControllerError && error.cause instanceof EtcdPermissionDeniedError;
      tell({ kind: "failing", reason: messageOf(error), refused });
      return backoffDelay({ ...(refused ? REFUSED_RETRY : RETRY), attempt, random: Math.random() });
    },
  };
}
