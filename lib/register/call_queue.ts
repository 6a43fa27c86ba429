import type { Etcd3 } from "etcd3";
import PQueue from "p-queue";
import { memoByObject } from "../util/memo.ts";
import type { CallStep } from "./calls.ts";

/**
 * Existing leases are renewed first, then keys are changed, then new leases are granted. In one line, a crowd that
 * registers slowly would lose its first leases before its last ones are granted.
 */
const PRIORITY: Readonly<Record<CallStep["kind"], number>> = {
  renew: 2,
  put: 1,
  withdraw: 1,
  check: 1,
  grant: 0,
};

/** Makes a call when it is its turn. An aborted call leaves the queue at once, with the signal's reason. */
export type CallQueue = <T>(
  call: () => Promise<T>,
  options: { readonly kind: CallStep["kind"]; readonly signal: AbortSignal },
) => Promise<T>;

/** @param most how many calls run at once */
export function createCallQueue(most: number): CallQueue {
  const queue = new PQueue({ concurrency: most });
  return (call, { kind, signal }) => queue.add(call, { priority: PRIORITY[kind], signal });
}

/** More at once only delay each other: a client encodes and decodes on one thread. */
const MOST_CALLS = 64;

/** The queue that all registrations of one client share. */
export const callQueueOf = memoByObject((_kv: Etcd3) => createCallQueue(MOST_CALLS));
