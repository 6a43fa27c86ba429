import { messageOf } from "../util/errors.ts";
import { repeat } from "../util/time.ts";
import type { Snapshot } from "../registry/snapshot.ts";
import type { EtcdClient } from "./client.ts";
import { type EtcdEvent, followEtcd } from "./follow.ts";
import { compareAll, compareCount, compareHistory, unchangedUntil } from "./compare.ts";
import type { FullRead } from "./read.ts";

/** Where snapshots come from. */
export interface Source {
  /** The state at one revision; undefined until it was read for the first time. */
  snapshot(): Promise<Snapshot | undefined>;
  /** Whether a snapshot has all of its revision: the watch has caught up below every prefix. */
  isSynced(): boolean;
  /** Follows etcd until the signal is aborted; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export type MirrorEvent =
  | EtcdEvent
  | { readonly kind: "mirror-wrong"; readonly reason: string }
  | { readonly kind: "check-failed"; readonly reason: string };

export interface SourceOptions {
  readonly client: EtcdClient;
  readonly prefixes: readonly string[];
  /** Something changed. Only signals that something changed. */
  readonly onChange: () => void;
  readonly onEvent: (event: MirrorEvent) => void;
  readonly checksMs?: Partial<typeof CHECKS_MS>;
}

/** How often a mirror is checked, in milliseconds; jittered. */
const CHECKS_MS = {
  /** Its size is compared with etcd's. */
  count: 60_000,
  /** All of it is compared. */
  compare: 30 * 60_000,
  /** Without changes, it checks that the mirror is still valid at the newest revision. Sooner than a compaction every five minutes. */
  advance: 2 * 60_000,
};

/**
 * etcd brings a watch that begins in the past up to date in a loop of its own, every 100 ms (mvcc/watchable_store.go,
 * syncWatchersLoop), one prefix after the other. For a moment an event of one prefix can be here before an older event of
 * another one. After that, events of all prefixes come in the order of their revisions.
 */
const SYNC_MS = 500;

/**
 * Finds out by the events of a source whether its watch has caught up. etcd calls such watchers synced.
 *
 * @param now a monotonic clock, in milliseconds
 */
export function withSync<T extends Pick<SourceOptions, "onEvent">>(
  options: T,
  now: () => number = () => performance.now(),
): { readonly options: T & Pick<SourceOptions, "onEvent">; readonly isSynced: () => boolean } {
  let watchingSince = Infinity;
  const onEvent = (event: MirrorEvent) => {
    if (event.kind === "watching") watchingSince = now();
    if (event.kind === "watch-ended" || event.kind === "connecting") watchingSince = Infinity;
    options.onEvent(event);
  };
  return { options: { ...options, onEvent }, isSynced: () => now() - watchingSince >= SYNC_MS };
}

/**
 * Keeps a copy of the keys below the prefixes, kept up by a watch. A full read replaces it whenever it may be wrong. It is
 * compared with etcd now and then, because etcd has lost events before (etcd-io/etcd#18089), and whenever the watch works
 * again after a break, because etcd may have another history by then.
 */
export function createMirror(given: SourceOptions): Source {
  const { options, isSynced } = withSync(given);
  const { client: { kv }, prefixes, onEvent, onChange } = options;
  let state: FullRead | undefined;
  let distrust = new AbortController();

  /** @param look returns what is wrong, if anything is */
  const check = async (look: (state: FullRead) => Promise<string | undefined>) => {
    if (state === undefined) return;
    try {
      const wrong = await look(state);
      if (wrong === undefined) return;
      onEvent({ kind: "mirror-wrong", reason: wrong });
      distrust.abort();
    } catch (error) {
      onEvent({ kind: "check-failed", reason: messageOf(error) });
    }
  };
  /**
   * While only keys outside the prefixes change, the mirror's revision falls behind, and is compacted away in the end. The
   * progress of the watch cannot move it on: before 3.4.25 and 3.5.8, etcd may tell a revision while events of it still wait
   * to be sent on the stream (etcd-io/etcd#15220).
   */
  const advance = async (before: FullRead) => {
    const { revision } = before;
    const until = await unchangedUntil(kv, prefixes, before);
    // Events that came meanwhile have moved it on, or soon will.
    const isCurrent = state === before && before.revision === revision;
    if (isCurrent && until !== undefined && until > revision) {
      before.revision = until;
      onChange();
    }
    return undefined;
  };

  return {
    isSynced,
    snapshot: () =>
      Promise.resolve(state && { revision: state.revision, entries: [...state.entries.values()] }),
    run: async (signal) => {
      const checksMs = { ...CHECKS_MS, ...options.checksMs };
      repeat(() => check((state) => compareCount(kv, prefixes, state)), { ms: checksMs.count, signal });
      repeat(() => check((state) => compareAll(kv, prefixes, state)), { ms: checksMs.compare, signal });
      repeat(() => check(advance), { ms: checksMs.advance, signal });
      await followEtcd({
        ...options,
        onChange: (next) => {
          state = next;
          onChange();
        },
        onResumed: (watched) => check(({ entries }) => compareHistory(kv, watched, entries)),
        signal,
        untrusted: () => (distrust = new AbortController()).signal,
      });
    },
  };
}
