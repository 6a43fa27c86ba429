import type { Etcd3 } from "etcd3";
import { ControllerError } from "../util/errors.ts";
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

/** Silence after which the member is asked whether it has sent all events: a few rounds of its own. */
const LIMITS = { createdMs: 1_500, idleMs: 300, progressMs: 1_200 };
const RETRY_MS = 100;

/**
 * The revision of the newest change below the prefixes. The newest put is that of a key; a deletion leaves none, so what
 * came after that put is replayed. Where history is compacted away, the result may be that of the compaction.
 *
 * @throws {ControllerError} (transient) when etcd does not tell before the signal is aborted
 */
export async function newestChange(client: EtcdClient, options: NewestChangeOptions): Promise<bigint> {
  const { prefixes, at } = options;
  const put = await newestPut(client.kv, prefixes, at);
  if (put === undefined || put >= at) return at;
  return await replayAll(client, put, options);
}

/** Undefined: that revision was compacted away. */
async function newestPut(kv: Etcd3, prefixes: readonly string[], at: bigint): Promise<bigint | undefined> {
  try {
    const newest = await Promise.all(prefixes.map(async (prefix) => {
      const { kvs: [key] } = await kv.getAll().prefix(prefix).sort("Mod", "Descend").limit(1).revision(
        `${at}`,
      ).exec();
      return BigInt(key?.mod_revision ?? 1);
    }));
    return newest.reduce((a, b) => a > b ? a : b, 1n);
  } catch (error) {
    if (isCompacted(error)) return undefined;
    throw error;
  }
}

/** How the server says it (etcd api/v3rpc/rpctypes, ErrGRPCCompacted); the client has no class for it. */
function isCompacted(error: unknown): boolean {
  return error instanceof Error && error.message.includes("required revision has been compacted");
}

/**
 * Each prefix on a stream of its own: its events come in the order of their revisions, so one above `at` tells that all
 * before it are known. A prefix that is silent tells its progress when it is asked.
 */
async function replayAll(client: EtcdClient, from: bigint, options: NewestChangeOptions): Promise<bigint> {
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  try {
    const replays = options.prefixes.map((prefix) => replay(client, { ...options, prefix, from, signal }));
    return (await Promise.all(replays)).reduce((a, b) => a > b ? a : b);
  } finally {
    over.abort();
  }
}

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
      limits: LIMITS,
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
