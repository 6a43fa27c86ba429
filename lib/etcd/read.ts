import { Buffer } from "node:buffer";
import { type Etcd3, type IKeyValue, Range } from "etcd3";
import { MAX_VALUE_BYTES } from "../entry.ts";
import type { RawEntry } from "../snapshot.ts";

/** All keys below some prefixes, read at one revision. */
export interface FullRead {
  readonly entries: Map<string, RawEntry>;
  readonly revision: bigint;
  readonly clusterId: string;
}

/** etcd counts all that remains for each page, so small pages cost more than they save. */
const PAGE_KEYS = 5_000;
/** A page is larger than other answers. */
const PAGE_DEADLINE_MS = 2_500;

/**
 * Reads everything below the prefixes at one revision: the given one, else that of the first answer.
 *
 * @throws when etcd cannot be asked, or has compacted the revision away
 */
export async function readAll(kv: Etcd3, prefixes: readonly string[], at?: bigint): Promise<FullRead> {
  const entries = new Map<string, RawEntry>();
  let pin: { revision: string; clusterId: string } | undefined;
  for (const prefix of prefixes) {
    for await (const page of pagesOf(kv, prefix, () => at?.toString() ?? pin?.revision)) {
      pin ??= { revision: page.header.revision, clusterId: page.header.cluster_id };
      for (const item of page.kvs) entries.set(keyText(item.key), rawEntry(item));
    }
  }
  return { entries, revision: at ?? BigInt(pin?.revision ?? 0), clusterId: pin?.clusterId ?? "" };
}

async function* pagesOf(kv: Etcd3, prefix: string, revision: () => string | undefined) {
  const range = Range.prefix(prefix);
  let start = Buffer.from(range.start);
  for (;;) {
    const pinned = revision();
    const request = kv.getAll().inRange({ start, end: range.end }).limit(PAGE_KEYS)
      .options({ deadline: Date.now() + PAGE_DEADLINE_MS });
    const page = await (pinned === undefined ? request : request.revision(pinned)).exec();
    yield page;
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return;
    start = Buffer.concat([last.key, Buffer.from([0])]);
  }
}

/**
 * How many keys stand below the prefixes at a revision.
 *
 * @throws when etcd cannot be asked or has compacted the revision away
 */
export async function countAt(kv: Etcd3, prefixes: readonly string[], revision: bigint): Promise<number> {
  const counts = await Promise.all(prefixes.map(async (prefix) => {
    const range = Range.prefix(prefix);
    const answer = await kv.getAll().inRange({ start: range.start, end: range.end }).revision(
      String(revision),
    ).count();
    return answer;
  }));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** A key's bytes as latin1 text, one character a byte. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

/** Copies a key-value out of the message that it came in, so that the message can be freed. */
export function rawEntry(item: IKeyValue): RawEntry {
  // One byte more than allowed is enough to see that a value is too long.
  const value = Uint8Array.from(item.value.subarray(0, MAX_VALUE_BYTES + 1));
  return { key: keyText(item.key), value, modRevision: BigInt(item.mod_revision) };
}
