import { formatAddress } from "../registry/address.ts";
import { isAskedFor, parseEntry } from "../registry/entry.ts";
import { memoByObject } from "../util/memo.ts";
import type { Prefixes } from "../registry/model.ts";
import type { RawEntry, Snapshot } from "../registry/snapshot.ts";

/** The registry as it was seen last, and its newest urgent revision: a client may be waiting for it, so it is published soon. */
export interface Urgent {
  readonly snapshot: Snapshot | undefined;
  /** 0: none yet. */
  readonly revision: bigint;
}

/** No registry was seen yet. */
export const NOTHING_URGENT: Urgent = { snapshot: undefined, revision: 0n };

/**
 * The registry was seen again. A client may be waiting for an override, or for nodes to stop sending to a server that
 * deregisters. Such a change is urgent even if HAProxy needs no command for it, because the server was drained before.
 */
export function withSeen(before: Urgent, snapshot: Snapshot, prefixes: Prefixes): Urgent {
  const isUrgent = before.snapshot === undefined || hasUrgentChange(before.snapshot, snapshot, prefixes);
  return { snapshot, revision: isUrgent ? snapshot.revision : before.revision };
}

const byKey = memoByObject(({ entries }: Snapshot) => new Map(entries.map((entry) => [entry.key, entry])));

function hasUrgentChange(before: Snapshot, now: Snapshot, prefixes: Prefixes): boolean {
  // The store was restored: any client may be waiting.
  if (now.revision < before.revision) return true;
  const [known, present] = [byKey(before), byKey(now)];
  return before.entries.some(({ key }) => !present.has(key)) ||
    now.entries.some((entry) => isUrgentChange(known.get(entry.key), entry, prefixes));
}

function isUrgentChange(before: RawEntry | undefined, now: RawEntry, prefixes: Prefixes): boolean {
  if (before?.modRevision === now.modRevision) return false;
  if (now.key.startsWith(prefixes.overrides)) return true;
  const [old, next] = [before && destination(before, prefixes), destination(now, prefixes)];
  return next === "nowhere" || old !== undefined && old !== "nowhere" && old !== next;
}

/** The address that an entry asks requests for, or "nowhere"; undefined: it cannot be read. */
function destination(entry: RawEntry, { services }: Prefixes): string | undefined {
  const result = parseEntry(entry, services);
  if (!result.ok) return undefined;
  const { value: server } = result.value;
  return isAskedFor(server) ? formatAddress(server.address) : "nowhere";
}
