import { backoffDelay } from "../util/backoff.ts";
import { messageOf } from "../util/errors.ts";
import { sleep } from "../util/time.ts";
import type { EtcdClient } from "./client.ts";
import { type FullRead, readAll } from "./read.ts";
import { checkReads } from "./read_check.ts";
import { type WatchedPrefix, type WatchEvent, watchOnce } from "./watch.ts";

/** What happened to the connection with etcd; for the log and for metrics. */
export type EtcdEvent =
  /** Nothing could be read; it is tried again. */
  | { readonly kind: "connecting"; readonly reason: string; readonly attempt: number }
  | { readonly kind: "read"; readonly revision: bigint; readonly entries: number; readonly why: string }
  /** `member` is the id of the member that is watched, as etcdctl writes it. */
  | { readonly kind: "watching"; readonly from: bigint; readonly member: string }
  /** The watch works, but other calls are refused: if the watch broke, it could not come back. */
  | { readonly kind: "reads-refused"; readonly reason: string }
  | { readonly kind: "reads-answered" }
  | { readonly kind: "watch-ended"; readonly reason: string; readonly readAgain: boolean };

export interface FollowOptions {
  readonly client: EtcdClient;
  readonly prefixes: readonly string[];
  /** Everything was read, or something has changed. Later events edit `state` in place; a full read replaces it. */
  readonly onChange: (state: FullRead) => void;
  /** The watch works again after a break, from what was seen of each prefix. */
  readonly onResumed?: (prefixes: readonly WatchedPrefix[]) => void;
  readonly onEvent: (event: EtcdEvent) => void;
  readonly signal: AbortSignal;
  /** Gives, after each full read, a signal that is aborted when the state is known to be wrong and must be read again. */
  readonly untrusted?: () => AbortSignal;
}

/** With the time limits of a call, a refusal is noticed within 3 s. */
const READ_CHECK_EVERY_MS = 1_500;
const BACKOFF = { minMs: 100, maxMs: 2_000 };

/**
 * Follows the keys below the prefixes until the signal is aborted: full read, then watch from the next revision; read
 * again after a compaction, a refusal, another cluster id or revisions that went backwards. Never rejects.
 */
export async function followEtcd(options: FollowOptions): Promise<void> {
  const pause = createPause(options.signal);
  let why = "start";
  while (!options.signal.aborted) {
    const read = await tryRead(options, pause, why);
    if (read !== undefined) why = await watchUntilGone(read, options, pause);
  }
}

async function tryRead(options: FollowOptions, pause: Pause, why: string): Promise<FullRead | undefined> {
  try {
    const read = await readAll(options.client.kv, options.prefixes);
    options.onChange(read);
    options.onEvent({ kind: "read", revision: read.revision, entries: read.entries.size, why });
    return read;
  } catch (error) {
    options.onEvent({ kind: "connecting", reason: messageOf(error), attempt: pause.attempt() });
    await pause.next();
    return undefined;
  }
}

/** Watches, reconnecting as often as needed, until everything must be read again; returns why. */
async function watchUntilGone(state: FullRead, options: FollowOptions, pause: Pause): Promise<string> {
  const prefixes: WatchedPrefix[] = options.prefixes.map((prefix) => ({ prefix, seen: state.revision }));
  const untrusted = options.untrusted?.();
  const signal = untrusted === undefined ? options.signal : AbortSignal.any([options.signal, untrusted]);
  const onReads = (reason: string | undefined) =>
    options.onEvent(reason === undefined ? { kind: "reads-answered" } : { kind: "reads-refused", reason });
  for (let isFirst = true;; isFirst = false) {
    const watching = new AbortController();
    const end = await watchOnce(options.client, {
      prefixes,
      clusterId: state.clusterId,
      signal,
      onEvents: (events) => {
        edit(state, events);
        options.onChange(state);
      },
      onCreated: (member) => {
        pause.reset();
        options.onEvent({ kind: "watching", from: oldest(prefixes) + 1n, member });
        if (!isFirst) options.onResumed?.(prefixes);
        checkReads({ ...options, everyMs: READ_CHECK_EVERY_MS, signal: watching.signal, onChange: onReads });
      },
    });
    watching.abort();
    if (options.signal.aborted) return "stopping";
    if (untrusted?.aborted) return "the mirror's own check failed";
    options.onEvent({ kind: "watch-ended", reason: end.reason, readAgain: end.kind === "gone" });
    if (end.kind === "lost") await refreshToken(options);
    await pause.next();
    if (end.kind === "gone") return end.reason;
  }
}

function edit(state: FullRead, events: readonly WatchEvent[]): void {
  for (const event of events) {
    if (event.kind === "put") state.entries.set(event.entry.key, event.entry);
    else state.entries.delete(event.key);
    const revision = event.kind === "put" ? event.entry.modRevision : event.revision;
    if (revision > state.revision) state.revision = revision;
  }
}

function oldest(prefixes: readonly WatchedPrefix[]): bigint {
  return prefixes.map(({ seen }) => seen).reduce((a, b) => a < b ? a : b);
}

/** A watch does not renew an expired token, any other call does. The answer does not matter. */
async function refreshToken({ client, prefixes }: FollowOptions): Promise<void> {
  try {
    await client.kv.get(prefixes[0] ?? "").exec();
  } catch {
    // The next watch reports the problem.
  }
}

type Pause = ReturnType<typeof createPause>;

function createPause(signal: AbortSignal) {
  let failed = 0;
  return {
    attempt: () => failed + 1,
    reset: () => failed = 0,
    next: () => sleep(backoffDelay({ ...BACKOFF, attempt: ++failed, random: Math.random() }), signal),
  };
}
