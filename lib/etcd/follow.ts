import { backoffDelay } from "../util/backoff.ts";
import { messageOf } from "../util/errors.ts";
import { sleep } from "../util/time.ts";
import type { EtcdClient } from "./client.ts";
import { type FullRead, readAll } from "./read.ts";
import { checkReads } from "./read_check.ts";
import { type WatchedPrefix, type WatchEvent, type WatchLimits, watchOnce } from "./watch.ts";

/** What happened to the connection with etcd; for the log and for metrics. */
export type EtcdEvent =
  /** Nothing could be read; it is tried again. */
  | { readonly kind: "connecting"; readonly reason: string; readonly attempt: number }
  | { readonly kind: "read"; readonly revision: bigint; readonly entries: number; readonly why: string }
  /** `member` is the id of the one that is watched, as etcdctl writes it. */
  | { readonly kind: "watching"; readonly from: bigint; readonly member: string }
  /** The watch goes on, but what else is asked is refused: should the watch break, it could not come back. */
  | { readonly kind: "reads-refused"; readonly reason: string }
  | { readonly kind: "reads-answered" }
  | { readonly kind: "watch-ended"; readonly reason: string; readonly readAgain: boolean };

/** What follows etcd's state: replaced by every full read, edited by every event. */
export interface FollowSink {
  reset(read: FullRead): void;
  apply(events: readonly WatchEvent[]): void;
  /** The watch goes on after a break, from what was seen of each prefix. */
  resumed?(prefixes: readonly WatchedPrefix[]): void;
}

export interface FollowOptions {
  readonly client: EtcdClient;
  readonly prefixes: readonly string[];
  readonly sink: FollowSink;
  readonly onEvent: (event: EtcdEvent) => void;
  readonly signal: AbortSignal;
  /** Aborted when what was followed is known to be wrong and must be read again; a new one is asked for after each read. */
  readonly untrusted: () => AbortSignal;
  readonly limits?: WatchLimits;
}

/** Together with the time limits of a call soon enough to notice within 3 s. */
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
    if (read === undefined) continue;
    why = await watchUntilGone(read, options, pause);
  }
}

async function tryRead(options: FollowOptions, pause: Pause, why: string): Promise<FullRead | undefined> {
  try {
    const read = await readAll(options.client.kv, options.prefixes);
    options.sink.reset(read);
    options.onEvent({ kind: "read", revision: read.revision, entries: read.entries.size, why });
    return read;
  } catch (error) {
    options.onEvent({ kind: "connecting", reason: messageOf(error), attempt: pause.attempts() + 1 });
    await pause.next();
    return undefined;
  }
}

/** Watches, reconnecting as often as needed, until everything must be read again; returns why. */
async function watchUntilGone(read: FullRead, options: FollowOptions, pause: Pause): Promise<string> {
  const prefixes: WatchedPrefix[] = options.prefixes.map((prefix) => ({ prefix, seen: read.revision }));
  const untrusted = options.untrusted();
  const signal = AbortSignal.any([options.signal, untrusted]);
  for (let isFirst = true;; isFirst = false) {
    const watching = new AbortController();
    const end = await watchOnce(options.client, {
      prefixes,
      clusterId: read.clusterId,
      signal,
      limits: options.limits,
      onEvents: options.sink.apply,
      onCreated: (member) => {
        pause.reset();
        options.onEvent({ kind: "watching", from: oldest(prefixes) + 1n, member });
        if (!isFirst) options.sink.resumed?.(prefixes);
        startReadCheck(options, watching.signal);
      },
    });
    watching.abort();
    if (options.signal.aborted) return "stopping";
    if (untrusted.aborted) return "the mirror's own check failed";
    options.onEvent({ kind: "watch-ended", reason: end.reason, readAgain: end.kind === "gone" });
    if (end.kind === "gone") {
      await pause.next();
      return end.reason;
    }
    await refreshToken(options);
    await pause.next();
  }
}

function oldest(prefixes: readonly WatchedPrefix[]): bigint {
  return prefixes.map(({ seen }) => seen).reduce((a, b) => a < b ? a : b);
}

function startReadCheck({ client, prefixes, onEvent }: FollowOptions, signal: AbortSignal): void {
  checkReads({
    client,
    prefixes,
    everyMs: READ_CHECK_EVERY_MS,
    signal,
    onRefused: (reason) => onEvent({ kind: "reads-refused", reason }),
    onAnswered: () => onEvent({ kind: "reads-answered" }),
  });
}

/** A watch does not renew an expired authentication token, any other call does; what it answers does not matter. */
async function refreshToken({ client, prefixes }: FollowOptions): Promise<void> {
  try {
    await client.kv.get(prefixes[0] ?? "").exec();
  } catch {
    // The next watch tells what is wrong.
  }
}

interface Pause {
  next(): Promise<void>;
  reset(): void;
  attempts(): number;
}

function createPause(signal: AbortSignal): Pause {
  let attempt = 0;
  return {
    attempts: () => attempt,
    reset: () => attempt = 0,
    next: () => sleep(backoffDelay({ ...BACKOFF, attempt: ++attempt, random: Math.random() }), signal),
  };
}
