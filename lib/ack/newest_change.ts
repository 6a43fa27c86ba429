import type { Etcd3 } from "etcd3";
import { ControllerError, messageOf } from "../util/errors.ts";
import { sleep } from "../util/time.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { watchOnce } from "../etcd/watch.ts";

export interface NewestChangeOptions {
  readonly prefixes: readonly string[];
  /** The store as it was at this revision; later changes do not count. */
  readonly at: bigint;
  readonly clusterId: string;
  readonly signal: AbortSignal;
}

/** After this silence the member is asked whether it has sent all events. */
const IDLE_MS = 300;
const RETRY_MS = 100;

/**
 * The revision of the newest change below the prefixes. The newest put is that of a key. A deletion leaves none, so what
 * came after that put is replayed: a node at an older revision may still serve a server that came and went since. The
 * progress of a synced watch could tell the same, but etcd 3.4 tells none while several watches share a stream. Where
 * history is compacted away, the result may be that of the compaction.
 *
 * @throws {ControllerError} (transient) when etcd does not tell before the signal is aborted
 */
export async function newestChange(client: EtcdClient, options: NewestChangeOptions): Promise<bigint> {
  const { prefixes, at } = options;
  const put = await newestPut(client.kv, prefixes, at);
  if (put === undefined || put >= at) return at;
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  try {
    return newestOf(
      await Promise.all(prefixes.map((prefix) => replay(client, { ...options, prefix, from: put, signal }))),
    );
  } finally {
    over.abort();
  }
}

function newestOf(revisions: readonly bigint[]): bigint {
  return revisions.reduce((a, b) => a > b ? a : b, 1n);
}

/** Undefined: that revision was compacted away. */
async function newestPut(kv: Etcd3, prefixes: readonly string[], at: bigint): Promise<bigint | undefined> {
  const ofPrefix = async (prefix: string) => {
    const newest = kv.getAll().prefix(prefix).sort("Mod", "Descend").limit(1).revision(`${at}`);
    return BigInt((await newest.exec()).kvs[0]?.mod_revision ?? 1);
  };
  try {
    return newestOf(await Promise.all(prefixes.map(ofPrefix)));
  } catch (error) {
    // The server's words (etcd api/v3rpc/rpctypes, ErrGRPCCompacted); the client has no class for it.
    if (messageOf(error).includes("required revision has been compacted")) return undefined;
    throw error;
  }
}

/**
 * Replays one prefix on a stream of its own: its events come in the order of their revisions, so one above `at` tells that
 * all before it are known. For a silent prefix, etcd is asked for its progress.
 */
async function replay(
  client: EtcdClient,
  { prefix, from, at, clusterId, signal }: Omit<NewestChangeOptions, "prefixes"> & {
    readonly prefix: string;
    readonly from: bigint;
  },
): Promise<bigint> {
  const done = new AbortController();
  let newest = from;
  const note = (revision: bigint) => {
    if (revision > newest && revision <= at) newest = revision;
    if (revision >= at) done.abort();
  };
  while (!done.signal.aborted) {
    const before = newest;
    const end = await watchOnce(client, {
      prefixes: [{ prefix, seen: before }],
      clusterId,
      idleMs: IDLE_MS,
      onEvents: (events) =>
        events.forEach((event) => note(event.kind === "put" ? event.entry.modRevision : event.revision)),
      onCreated: () => {},
      onCompacted: (revision) => note(revision < at ? revision : at),
      onProgress: (revision) => {
        if (revision >= at) done.abort();
      },
      signal: AbortSignal.any([signal, done.signal]),
    });
    if (done.signal.aborted) break;
    if (signal.aborted || end.kind === "gone" && newest === before) {
      const state = signal.aborted ? "the time is up" : end.reason;
      throw new ControllerError("transient", `Cannot find the newest change of the registry: ${state}`);
    }
    await sleep(RETRY_MS, signal);
  }
  return newest;
}
