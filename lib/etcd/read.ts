import { Buffer } from "node:buffer";
import { type Etcd3, type IKeyValue, type MultiRangeBuilder, Range } from "etcd3";
import { MAX_VALUE_BYTES } from "../registry/entry.ts";
import { messageOf } from "../util/errors.ts";
import type { RawEntry } from "../registry/snapshot.ts";

/** All keys below some prefixes at one revision. `followEtcd()` edits one in place. */
export interface FullRead {
  readonly entries: Map<string, RawEntry>;
  revision: bigint;
  readonly clusterId: string;
}

/** etcd counts all that remains for each page, so small pages cost more than they save. */
const PAGE_KEYS = 5_000;
/** A page that was too large for one message, or too slow, is asked for again in so many parts. */
const SMALLER_BY = 8;
/** One message holds so many of the largest values that etcd takes. */
const MIN_PAGE_KEYS = 16;
/** A page that is faster than this lets the next one grow. */
const QUICK_PAGE_MS = 250;
/** A page is larger than other answers. */
const PAGE_DEADLINE_MS = 2_500;

/**
 * Reads everything below the prefixes at one revision: the given one, else that of the first answer.
 *
 * @throws when etcd cannot be asked, or has compacted the revision away
 */
export async function readAll(kv: Etcd3, prefixes: readonly string[], at?: bigint): Promise<FullRead> {
  const entries = new Map<string, RawEntry>();
  const size = { keys: lastSizes.get(kv)?.keys ?? PAGE_KEYS, grows: true };
  lastSizes.set(kv, size);
  let pin: { revision: string; clusterId: string } | undefined;
  for (const prefix of prefixes) {
    const range = Range.prefix(prefix);
    let start: Buffer | undefined = Buffer.from(range.start);
    while (start !== undefined) {
      const request = kv.getAll().inRange({ start, end: range.end });
      const revision = at?.toString() ?? pin?.revision;
      const page = await tryPage(revision === undefined ? request : request.revision(revision), size);
      if (page === undefined) continue;
      pin ??= { revision: page.header.revision, clusterId: page.header.cluster_id };
      for (const item of page.kvs) entries.set(keyText(item.key), rawEntry(item));
      const last = page.more ? page.kvs.at(-1) : undefined;
      start = last && Buffer.concat([last.key, Buffer.from([0])]);
    }
  }
  return { entries, revision: at ?? BigInt(pin?.revision ?? 0), clusterId: pin?.clusterId ?? "" };
}

/** How many keys are asked for at once. */
interface PageSize {
  keys: number;
  /** Not after a failure: among large and small values, every other page could fail. */
  grows: boolean;
}

/** The page size at the end of a client's last read. */
const lastSizes = new WeakMap<Etcd3, Readonly<PageSize>>();

/**
 * One page; undefined when it does not fit into a message. The values of one writer must not keep others from being read, so
 * pages get smaller, in this read or in the next one, until they fit.
 */
async function tryPage(request: MultiRangeBuilder, size: PageSize) {
  const startedAt = performance.now();
  try {
    const page = await request.limit(size.keys).options({ deadline: Date.now() + PAGE_DEADLINE_MS }).exec();
    const isQuick = performance.now() - startedAt < QUICK_PAGE_MS;
    if (isQuick && size.grows) size.keys = Math.min(PAGE_KEYS, size.keys * SMALLER_BY);
    return page;
  } catch (error) {
    const { keys } = size;
    size.keys = Math.max(MIN_PAGE_KEYS, Math.floor(keys / SMALLER_BY));
    size.grows = false;
    if (keys > MIN_PAGE_KEYS && isTooLarge(error)) return undefined;
    throw error;
  }
}

/** Why a store is not the one that was seen before, such as after a restore; undefined if it may be. */
export function otherStore(
  found: { readonly clusterId: string; readonly revision: bigint },
  known: { readonly clusterId: string | undefined; readonly revision: bigint },
): string | undefined {
  if (known.clusterId !== undefined && found.clusterId !== known.clusterId) {
    return `cluster id changed from ${known.clusterId} to ${found.clusterId}`;
  }
  if (found.revision >= known.revision) return undefined;
  return `the store is at revision ${found.revision}, before ${known.revision}`;
}

/** Whether a message had more bytes than the client accepts. */
export function isTooLarge(error: unknown): boolean {
  return messageOf(error).includes("message larger than max");
}

/** A key's bytes as latin1 text, one character a byte. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

/** Copies a key-value out of the message that it came in, so that the message can be freed. */
export function rawEntry(item: IKeyValue): RawEntry {
  // One byte more than allowed is enough to see that a value is too long.
  const value = Uint8Array.from(item.value.subarray(0, MAX_VALUE_BYTES + 1));
  return {
    key: keyText(item.key),
    value,
    modRevision: BigInt(item.mod_revision),
    hasLease: item.lease !== "0",
  };
}
