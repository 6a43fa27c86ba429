import type { MirrorEvent } from "./mirror.ts";

/** Tells whether what the mirror holds is all of a revision. */
export interface Settling {
  onEtcdEvent(event: MirrorEvent): void;
  isSettled(): boolean;
}

/**
 * etcd brings a watch that begins in the past up to date in a loop of its own, every 100 ms (mvcc/watchable_store.go,
 * syncWatchersLoop), and one prefix after the other: for a moment an event of one can be here before an older one of the
 * other. From then on events of all prefixes come in the order of their revisions.
 */
const SETTLE_MS = 500;

/** Creates it for a node that does not watch yet. */
export function createSettling(now: () => number): Settling {
  let watchingSince = Infinity;
  return {
    onEtcdEvent: ({ kind }) => {
      if (kind === "watching") watchingSince = now();
      if (kind === "watch-ended" || kind === "waiting") watchingSince = Infinity;
    },
    isSettled: () => now() - watchingSince >= SETTLE_MS,
  };
}
