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
  /** They have this name: the node's id, or another name while another node has that id. */
  | { readonly kind: "published"; readonly name: string; readonly isSecond: boolean }
  /** Publishing fails, or etcd refuses it. */
  | { readonly kind: "failing"; readonly reason: string; readonly refused: boolean };

/** Keeps the keys of one node in etcd. */
export interface NodePublisher {
  /** Sets what to publish from now on. */
  offer(report: Report): void;
  /** Stops publishing and removes the keys. Takes about `limitMs` at most; never rejects. */
  stop(limitMs: number): Promise<void>;
}

const RETRY = { minMs: 100, maxMs: 2_000 };
/** A refused put is tried again, but rarely: roles may change. */
const REFUSED_RETRY = { minMs: 15_000, maxMs: 60_000 };

/**
 * Publishes under a lease of its own until it is stopped, whatever happens to etcd or to this process. Every put is a
 * transaction on the keys as they were seen last, so keys of another process are not overwritten unseen.
 */
export function publishNode(given: PublisherOptions): NodePublisher {
  const { kv } = given;
  const stop = new AbortController();
  const { signal } = stop;
  const options: NodeKeysOptions = { ...given, signal };
  const tell = onlyNews(given.onEvent);
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
        // A put whose answer is lost may have taken effect: look at the keys again.
        owned = undefined;
        if (isLeaseEnded(error)) lease = undefined;
        if (signal.aborted) return;
        const refused = error instanceof ControllerError && error.cause instanceof EtcdPermissionDeniedError;
        tell({ kind: "failing", reason: messageOf(error), refused });
        const retry = refused ? REFUSED_RETRY : RETRY;
        await sleep(backoffDelay({ ...retry, attempt: ++attempt, random: Math.random() }), signal);
      }
    }
  };

  /** Does the next thing that is due, and returns when there may be another. */
  const advance = async (): Promise<number> => {
    if (report === undefined) return Infinity;
    if (lease === undefined) {
      const bounds = { limitMs: CALL_LIMIT_MS, signal };
      lease = { ...await grantLease(kv, given.ttlSeconds, bounds), hasPut: false };
      owned = undefined;
    }
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
    tell({ kind: "published", name: owned.name, isSecond: owned.name !== given.node });
    return 0;
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
      // If etcd cannot be reached, the lease ends by itself.
      await revokeLease(kv, lease.id, { limitMs }).catch(() => {});
    },
  };
}

/** Tells what happens to the keys, but the same only once. */
function onlyNews(onEvent: PublisherOptions["onEvent"]): PublisherOptions["onEvent"] {
  let last = "";
  return (event) => {
    const news = JSON.stringify(event.kind === "failing" ? event.refused : event.name);
    if (news === last) return;
    last = news;
    onEvent(event);
  };
}
