import type { Pass } from "../reconcile/pass.ts";

/** A revision that HAProxy was brought to. */
export interface AppliedRevision {
  readonly revision: bigint;
  /** The newest urgent revision up to it, see urgent.ts. */
  readonly urgent: bigint;
}

/** A revision that some old workers do not serve yet. */
export interface BlockedRevision extends AppliedRevision {
  /** Workers that a reload had retired before: they keep their old servers. */
  readonly workers: readonly number[];
}

/** What a node is verified to serve. Times are milliseconds of `performance.now()`. */
export interface Verification {
  /** The newest revision that every worker serves; undefined: none yet. */
  readonly verified: bigint | undefined;
  /** The newest urgent revision up to it, see urgent.ts. */
  readonly urgent: bigint | undefined;
  /** Revisions that old workers block, oldest first. */
  readonly blocked: readonly BlockedRevision[];
  /** When each old worker was first seen to be one. */
  readonly retiredAt: ReadonlyMap<number, number>;
}

/** HAProxy's processes at a moment. */
export interface WorkersSeen {
  /** Ids of the workers that a reload retired and that still run. */
  readonly oldWorkers: readonly number[];
  readonly now: number;
  /** How long a retired worker may take a request from an idle client; undefined: until it ends. */
  readonly idleMs: number | undefined;
}

/** A node that has verified nothing yet. */
export const NOTHING_VERIFIED: Verification = {
  verified: undefined,
  urgent: undefined,
  blocked: [],
  retiredAt: new Map(),
};

/**
 * A pass brought HAProxy to a revision, and its processes were looked at afterwards. Workers that had been retired by then
 * may take one more request from each idle client, for their old servers. The revision is verified when they are gone, or
 * when no client can have been idle for so long. Workers that are retired later serve it already.
 */
export function withApplied(before: Verification, applied: AppliedRevision, seen: WorkersSeen): Verification {
  const { revision } = applied;
  const newest = before.blocked.at(-1)?.revision ?? before.verified;
  if (newest !== undefined && revision === newest) return withLook(before, seen);
  // The store was restored: what was verified of the other one means nothing.
  const start = newest !== undefined && revision < newest
    ? { ...NOTHING_VERIFIED, retiredAt: before.retiredAt }
    : before;
  const workers = blockingWorkers(retirements(start, seen), seen);
  return withLook({ ...start, blocked: mergeSameWorkers([...start.blocked, { ...applied, workers }]) }, seen);
}

/** HAProxy's processes were looked at again. */
export function withLook(before: Verification, seen: WorkersSeen): Verification {
  const retiredAt = retirements(before, seen);
  const alive = new Set(blockingWorkers(retiredAt, seen));
  const blocked = before.blocked.map((one) => ({
    ...one,
    workers: one.workers.filter((pid) => alive.has(pid)),
  }));
  const done = blocked.findLastIndex(({ workers }) => workers.length === 0);
  const passed = blocked.slice(0, done + 1);
  return {
    retiredAt,
    blocked: blocked.slice(done + 1),
    verified: passed.at(-1)?.revision ?? before.verified,
    urgent: passed.at(-1)?.urgent ?? before.urgent,
  };
}

function retirements({ retiredAt }: Verification, { oldWorkers, now }: WorkersSeen): Map<number, number> {
  return new Map(oldWorkers.map((pid) => [pid, retiredAt.get(pid) ?? now]));
}

function blockingWorkers(retiredAt: ReadonlyMap<number, number>, { now, idleMs }: WorkersSeen): number[] {
  return [...retiredAt].filter(([, at]) => idleMs === undefined || now < at + idleMs).map(([pid]) => pid);
}

/** Revisions that the same workers block are verified together: the newest covers the others. */
function mergeSameWorkers(blocked: readonly BlockedRevision[]): readonly BlockedRevision[] {
  const [before, last] = blocked.slice(-2);
  const isSame = last !== undefined && before?.workers.join() === last.workers.join();
  return isSame ? [...blocked.slice(0, -2), last] : blocked;
}

/** The revision that a pass brought HAProxy to; undefined when it did not, or cannot know. */
export function reachedBy(
  { outcome, model }: Pass,
  { attached }: { readonly attached: boolean },
): bigint | undefined {
  if (outcome?.kind !== "reached") return undefined;
  const { kind } = outcome.observed;
  // Our own HAProxy, when down, starts with the file. Another owner's may start with anything.
  return kind === "up" || kind === "down" && !attached ? model.revision : undefined;
}
