import { Buffer } from "node:buffer";
import type { Etcd3 } from "etcd3";
import type { RawEntry } from "../registry/snapshot.ts";
import { countAt, keyText, rawEntry, readAll } from "./read.ts";
import type { WatchedPrefix } from "./watch.ts";

/** What a mirror holds, at a revision. */
export interface Mirrored {
  readonly entries: ReadonlyMap<string, RawEntry>;
  readonly revision: bigint;
}

/**
 * Compares the number of keys. Each comparison tells what is wrong, or undefined if nothing is.
 *
 * @throws like the others, when etcd cannot be asked or has compacted the revision away
 */
export async function compareCount(
  kv: Etcd3,
  prefixes: readonly string[],
  { entries, revision }: Mirrored,
): Promise<string | undefined> {
  const count = await countAt(kv, prefixes, revision);
  return count === entries.size
    ? undefined
    : `etcd holds ${count} keys at revision ${revision}, the mirror ${entries.size}`;
}

/** Compares every key. */
export async function compareAll(
  kv: Etcd3,
  prefixes: readonly string[],
  { entries, revision }: Mirrored,
): Promise<string | undefined> {
  const { entries: inEtcd } = await readAll(kv, prefixes, revision);
  const keys = new Set([...inEtcd.keys(), ...entries.keys()]);
  const wrong = [...keys].filter((key) => inEtcd.get(key)?.modRevision !== entries.get(key)?.modRevision);
  return wrong.length === 0 ? undefined : `${wrong.length} keys differ from etcd at revision ${revision}`;
}

/**
 * Compares the number of keys and the newest key below each prefix, at the revision that was seen of it. A store that was
 * restored from a snapshot under its old cluster id and written to since looks like the same store otherwise: a watch goes
 * on in it, in another history.
 */
export async function compareHistory(
  kv: Etcd3,
  prefixes: readonly Readonly<WatchedPrefix>[],
  entries: ReadonlyMap<string, RawEntry>,
): Promise<string | undefined> {
  for (const { prefix, seen } of prefixes) {
    const start = keyText(Buffer.from(prefix));
    const mirrored = new Map([...entries].filter(([key]) => key.startsWith(start)));
    const wrong = await compareCount(kv, [prefix], { entries: mirrored, revision: seen }) ??
      await compareNewest(kv, { entries: mirrored, revision: seen });
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

async function compareNewest(kv: Etcd3, { entries, revision }: Mirrored): Promise<string | undefined> {
  let newest: RawEntry | undefined;
  for (const entry of entries.values()) {
    if (newest === undefined || entry.modRevision > newest.modRevision) newest = entry;
  }
  if (newest === undefined) return undefined;
  const { kvs: [found] } = await kv.get(Buffer.from(newest.key, "latin1")).revision(String(revision)).exec();
  if (found !== undefined && isSame(rawEntry(found), newest)) return undefined;
  return `the newest key of the mirror, of revision ${newest.modRevision}, is another one in etcd`;
}

/**
 * The store's revision, if nothing below the prefixes has changed up to it: no key was put since the mirror's revision, and
 * there are as many. Undefined if something has.
 */
export async function unchangedUntil(
  kv: Etcd3,
  prefixes: readonly string[],
  { entries, revision }: Mirrored,
): Promise<bigint | undefined> {
  let until: string | undefined;
  let count = 0;
  for (const prefix of prefixes) {
    const range = kv.getAll().prefix(prefix).minModRevision(`${revision + 1n}`).limit(1);
    const answer = await (until === undefined ? range : range.revision(until)).exec();
    until ??= answer.header.revision;
    // The count is that of all keys, whatever their revision.
    count += Number(answer.count);
    if (answer.kvs.length > 0) return undefined;
  }
  return until === undefined || count !== entries.size ? undefined : BigInt(until);
}

function isSame(a: RawEntry, b: RawEntry): boolean {
  return a.modRevision === b.modRevision && a.value.length === b.value.length &&
    a.value.every((byte, index) => byte === b.value[index]);
}
