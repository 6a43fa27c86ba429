import { Buffer } from "node:buffer";
import type { Etcd3 } from "etcd3";
import type { RawEntry } from "../registry/snapshot.ts";
import { type FullRead, rawEntry, readAll } from "./read.ts";
import type { WatchedPrefix } from "./watch.ts";

/** What a mirror holds, at a revision. It may change while etcd is asked. */
type Mirrored = Readonly<Pick<FullRead, "entries" | "revision">>;

/**
 * Compares the number of keys. Each comparison returns what is wrong, or undefined if nothing is.
 *
 * @throws like the others, when etcd cannot be asked or has compacted the revision away
 */
export async function compareCount(
  kv: Etcd3,
  prefixes: readonly string[],
  { entries: { size }, revision }: { readonly entries: { readonly size: number }; readonly revision: bigint },
): Promise<string | undefined> {
  const counts = await Promise.all(
    prefixes.map((prefix) => kv.getAll().prefix(prefix).revision(`${revision}`).count()),
  );
  const count = counts.reduce((sum, count) => sum + count, 0);
  return count === size ? undefined : `etcd holds ${count} keys at revision ${revision}, the mirror ${size}`;
}

/** Compares every key. */
export async function compareAll(
  kv: Etcd3,
  prefixes: readonly string[],
  { entries, revision }: Mirrored,
): Promise<string | undefined> {
  const mirrored = new Map(entries);
  const { entries: inEtcd } = await readAll(kv, prefixes, revision);
  const keys = new Set([...inEtcd.keys(), ...mirrored.keys()]);
  const wrong = [...keys].filter((key) => inEtcd.get(key)?.modRevision !== mirrored.get(key)?.modRevision);
  return wrong.length === 0 ? undefined : `${wrong.length} keys differ from etcd at revision ${revision}`;
}

/**
 * Compares the number of keys and the newest key below each prefix, at the revision that was seen of it. Without this, a
 * store that was restored from a snapshot under its old cluster id and written to since looks like the same store: a watch
 * continues in it, in another history.
 *
 * @param prefixes in ASCII
 */
export async function compareHistory(
  kv: Etcd3,
  prefixes: readonly WatchedPrefix[],
  entries: ReadonlyMap<string, RawEntry>,
): Promise<string | undefined> {
  // All at once: events that come while etcd is asked change them.
  const parts = prefixes.map(({ prefix, seen }) => ({
    prefix,
    revision: seen,
    mirrored: [...entries.values()].filter(({ key }) => key.startsWith(prefix)),
  }));
  for (const { prefix, revision, mirrored } of parts) {
    const wrong = await compareCount(kv, [prefix], { entries: { size: mirrored.length }, revision }) ??
      await compareNewest(kv, mirrored, revision);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

async function compareNewest(
  kv: Etcd3,
  entries: readonly RawEntry[],
  revision: bigint,
): Promise<string | undefined> {
  if (entries.length === 0) return undefined;
  const newest = entries.reduce((a, b) => a.modRevision > b.modRevision ? a : b);
  const { kvs: [found] } = await kv.get(Buffer.from(newest.key, "latin1")).revision(`${revision}`).exec();
  if (found !== undefined && isSame(rawEntry(found), newest)) return undefined;
  return `the newest key in the mirror, of revision ${newest.modRevision}, is different in etcd`;
}

function isSame(a: RawEntry, b: RawEntry): boolean {
  return a.modRevision === b.modRevision && Buffer.from(a.value).equals(b.value);
}

/**
 * The store's revision, if nothing below the prefixes has changed since the mirror's revision: no key was put, and there
 * are as many keys. Undefined if something has changed.
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
