import { messageOf } from "../util/errors.ts";
import type { RawEntry, Snapshot } from "../registry/snapshot.ts";
import type { EtcdClient } from "./client.ts";
import { type EtcdEvent, followEtcd } from "./follow.ts";
import { compareAll, compareCount, compareHistory, type Mirrored, unchangedUntil } from "./compare.ts";
import type { FullRead } from "./read.ts";
import type { WatchedPrefix, WatchEvent, WatchLimits } from "./watch.ts";

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
  /** Something changed. Rings a doorbell, no more. */
  readonly onChange: () => void;
  readonly onEvent: (event: MirrorEvent) => void;
  readonly limits?: WatchLimits;
  /** How often the mirror's size is compared with etcd's, in milliseconds; jittered. */
  readonly countEveryMs?: number;
  /** How often all of the mirror is compared with etcd, in milliseconds; jittered. */
  readonly compareEveryMs?: number;
  /** How often a mirror that nothing changes in finds out that it holds for later revisions too, in milliseconds; jittered. */
  readonly advanceEveryMs?: number;
}

const COUNT_EVERY_MS = 60_000;
const COMPARE_EVERY_MS = 30 * 60_000;
/** Sooner than a store that compacts every five minutes. */
const ADVANCE_EVERY_MS = 2 * 60_000;

/**
 * etcd brings a watch that begins in the past up to date in a loop of its own, every 100 ms (mvcc/watchable_store.go,
 * syncWatchersLoop), and one prefix after the other: for a moment an event of one can be here before an older one of the
 * other. From then on events of all prefixes come in the order of their revisions.
 */
const SYNC_MS = 500;

/**
 * Tells by the events of a connection whether the watch has caught up. etcd calls such watchers synced.
 *
 * @param now a monotonic clock, in milliseconds
 */
export function createSync(now: () => number) {
  let watchingSince = Infinity;
  return {
    onEvent: ({ kind }: MirrorEvent) => {
      if (kind === "watching") watchingSince = now();
      if (kind === "watch-ended" || kind === "connecting") watchingSince = Infinity;
    },
    isSynced: () => now() - watchingSince >= SYNC_MS,
  };
}

/** The options of a source whose events also tell whether it is synced. */
export function withSync(options: SourceOptions): { options: SourceOptions; isSynced: () => boolean } {
  const { onEvent, isSynced } = createSync(() => performance.now());
  const both = (event: MirrorEvent) => {
    onEvent(event);
    options.onEvent(event);
  };
  return { options: { ...options, onEvent: both }, isSynced };
}

/**
 * Keeps a copy of the keys below the prefixes, kept up by a watch. It is replaced by a full read whenever it may be wrong,
 * and compared with etcd now and then, for etcd has lost events before (etcd-io/etcd#18089), and whenever a watch goes on
 * after a break, for it may be another history by then.
 */
export function createMirror(given: SourceOptions): Source {
  const { options, isSynced } = withSync(given);
  let entries: Map<string, RawEntry> | undefined;
  let revision = 0n;
  let distrust = new AbortController();

  const reset = (read: FullRead) => {
    entries = new Map(read.entries);
    revision = read.revision;
    options.onChange();
  };
  const apply = (events: readonly WatchEvent[]) => {
    for (const event of events) edit(event);
    options.onChange();
  };
  const edit = (event: WatchEvent) => {
    if (event.kind === "put") entries?.set(event.entry.key, event.entry);
    else entries?.delete(event.key);
    const at = event.kind === "put" ? event.entry.modRevision : event.revision;
    if (at > revision) revision = at;
  };

  const check = async (compare: (mirrored: Mirrored) => Promise<string | undefined>) => {
    if (entries === undefined) return;
    try {
      const wrong = await compare({ entries: new Map(entries), revision });
      if (wrong === undefined) return;
      options.onEvent({ kind: "mirror-wrong", reason: wrong });
      distrust.abort();
    } catch (error) {
      options.onEvent({ kind: "check-failed", reason: messageOf(error) });
    }
  };
  /** While only other keys change, the revision falls behind, and is compacted away in the end. */
  const advance = async () => {
    const before = { entries, revision };
    if (entries === undefined) return;
    try {
      const until = await unchangedUntil(kv, prefixes, { entries, revision });
      if (until === undefined || until <= revision) return;
      // Events that came meanwhile have moved it on, or soon will.
      if (entries !== before.entries || revision !== before.revision) return;
      revision = until;
      options.onChange();
    } catch (error) {
      options.onEvent({ kind: "check-failed", reason: messageOf(error) });
    }
  };
  const { client: { kv }, prefixes } = options;
  const resumed = (watched: readonly WatchedPrefix[]) => {
    // As they are now: events that come while etcd is asked move them on.
    const seen = watched.map((one) => ({ ...one }));
    check(({ entries }) => compareHistory(kv, seen, entries));
  };

  return {
    isSynced,
    snapshot: () =>
      Promise.resolve(entries === undefined ? undefined : { revision, entries: [...entries.values()] }),
    run: async (signal) => {
      const stopChecks = [
        every(
          options.countEveryMs ?? COUNT_EVERY_MS,
          () => check((mirrored) => compareCount(kv, prefixes, mirrored)),
        ),
        every(
          options.compareEveryMs ?? COMPARE_EVERY_MS,
          () => check((mirrored) => compareAll(kv, prefixes, mirrored)),
        ),
        every(options.advanceEveryMs ?? ADVANCE_EVERY_MS, advance),
      ];
      const untrusted = () => (distrust = new AbortController()).signal;
      await followEtcd({ ...options, sink: { reset, apply, resumed }, signal, untrusted });
      stopChecks.forEach((stop) => stop());
    },
  };
}

/** Calls again and again, at intervals between 75 % and 125 % of the given one. */
function every(ms: number, call: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const arm = () => {
    timer = setTimeout(() => {
      call();
      arm();
    }, ms * (0.75 + Math.random() / 2));
  };
  arm();
  return () => clearTimeout(timer);
}
