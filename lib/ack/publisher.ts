import { EtcdPermissionDeniedError } from "etcd3";
import { backoffDelay } from "../util/backoff.ts";
import { createBell } from "../util/bell.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import { nextPut, type Report } from "./schedule.ts";
import { resolvesWithin, sleep } from "../util/time.ts";
import { grantLease, isLeaseEnded, keepLease, revokeLease } from "../etcd/lease.ts";
import {
  CALL_LIMIT_MS,
  lookAtKeys,
  type NodeKeysOptions,
  type NodeLease,
  type OwnedKeys,
  putDue,
} from "./owned.ts";

export interface PublisherOptions extends Omit<NodeKeysOptions, "signal"> {
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
  /** Takes what is to be published from now on. */
  offer(report: Report): void;
  /** Ends the publishing and takes the keys away. Takes about `limitMs` at most; never rejects. */
  stop(limitMs: number): Promise<void>;
}

const RETRY = { minMs: 100, maxMs: 2_000 };
/** What is not allowed is asked again, for roles change; but rarely. */
const REFUSED_RETRY = { minMs: 15_000, maxMs: 60_000 };

/**
 * Publishes under a lease of its own until it is stopped, whatever happens to etcd or to this process. Every put is a
 * transaction on the keys as they were seen last: keys that somebody else has put meanwhile are looked at first.
 */
export function publishNode(given: PublisherOptions): NodePublisher {
  const { kv } = given;
  const stop = new AbortController();
  const { signal } = stop;
  const options: NodeKeysOptions = { ...given, signal };
  const events = createEvents(given);
  const bell = createBell();
  let report: Report | undefined;
  let lease: NodeLease | undefined;
  let owned: OwnedKeys | undefined;

  const run = async () => {
    for (let attempt = 0; !signal.aborted;) {
      try {
        const until = await advance();
        attempt = 0;
        if (until > performance.now()) await bell.wait(until - performance.now(), signal);
      } catch (error) {
        // A put whose answer is lost may have been made, and the keys may hold something else by now.
        owned = undefined;
        if (isLeaseEnded(error)) lease = undefined;
        if (!signal.aborted) await sleep(events.failing(error, ++attempt), signal);
      }
    }
  };

  /** Does the next thing that is due, and returns when there may be another. */
  const advance = async (): Promise<number> => {
    if (report === undefined) return Infinity;
    lease ??= await grant();
    if (performance.now() >= lease.renewAtMs) lease = await keepLease(kv, lease, { signal });
    if (lease === undefined) return 0;
    if (owned === undefined || performance.now() >= owned.lookAtMs) {
      owned = await lookAtKeys(owned, lease, options);
    }
    const step = nextPut(report, owned.published, performance.now());
    if (step.kind === "wait") return Math.min(lease.renewAtMs, owned.lookAtMs, step.at);
    owned = await putDue(owned, { lease, step, report }, options);
    if (owned === undefined) return 0;
    lease = { ...lease, hasPut: true };
    events.published(owned);
    return 0;
  };

  const grant = async (): Promise<NodeLease> => {
    const granted = await grantLease(kv, given.ttlSeconds, { limitMs: CALL_LIMIT_MS, signal });
    owned = undefined;
    return { ...granted, hasPut: false };
  };

  const running = run();
  return {
    offer: (next) => {
      report = next;
      bell.ring();
    },
    stop: async (limitMs) => {
      stop.abort();
      await resolvesWithin(running, limitMs);
      if (lease === undefined) return;
      // etcd that cannot be asked ends the lease by itself.
      await revokeLease(kv, lease.id, { limitMs }).catch(() => {});
    },
  };
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
