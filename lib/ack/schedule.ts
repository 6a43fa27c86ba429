import type { NodeStatus } from "./keys.ts";

/** What a node has to report now. Times are monotonic milliseconds. */
export interface Report {
  /** The newest verified revision; undefined: none yet. */
  readonly applied: bigint | undefined;
  /** The newest verified revision that is urgent, see urgent.ts. */
  readonly urgent: bigint | undefined;
  readonly status: NodeStatus;
  /** Since when each draining server has been known to drain. */
  readonly drainingSince: ReadonlyMap<string, number>;
}

/** What stands in etcd. */
export interface Published {
  /** Also what an earlier run of this node left. */
  readonly applied: bigint | undefined;
  readonly appliedAt: number;
  /** Undefined: nothing was put yet. */
  readonly status: NodeStatus | undefined;
  readonly statusAt: number;
  /** How many more changes of how many servers are up may be put soon. */
  readonly countsLeft: number;
}

/** Which keys to put now. */
export interface Put {
  readonly kind: "put";
  readonly applied: boolean;
  readonly status: boolean;
}

/** What to do now; `at`: when to ask again, `Infinity`: when there is a new report. */
export type PutStep = Put | { readonly kind: "wait"; readonly at: number };

/** Before the first put. */
export const NOTHING_PUBLISHED: Published = {
  applied: undefined,
  appliedAt: -Infinity,
  status: undefined,
  statusAt: -Infinity,
  // A node puts its first status when it has seen no server yet; then it sees those, and then their health.
  countsLeft: 2,
};

const URGENT_EVERY_MS = 250;
const APPLIED_EVERY_MS = 5_000;
const STATUS_EVERY_MS = 10_000;
/** Whoever waits for a server to be drained waits for this as well; so does who looks at a node that has just started. */
const SOON_MS = 1_000;
/** Most requests end within this time, which saves two puts of the status. */
const SETTLE_MS = 250;

/**
 * Decides what is put. etcd keeps every put, so they are rare: `applied` 250 ms apart at least when somebody may wait for
 * it, else 5 s; `status` when it changed, 10 s apart, or 1 s when it is the draining servers that changed, or for the
 * first time the counts of servers.
 *
 * The status that stands beside a revision lists every server that still held requests when that revision was put: a
 * revision with servers that are not listed yet goes together with a status that lists them, or waits for it.
 */
export function nextPut(report: Report, published: Published, now: number): PutStep {
  if (published.status === undefined) {
    return { kind: "put", applied: report.applied !== undefined, status: true };
  }
  const appliedAt = appliedDue(report, published);
  const statusAt = statusDue(report, published);
  if (now < appliedAt && now < statusAt) return { kind: "wait", at: Math.min(appliedAt, statusAt) };
  const isNewRevision = appliedAt < Infinity &&
    now >= published.appliedAt + appliedEveryMs(report, published);
  return {
    kind: "put",
    applied: now >= appliedAt || isNewRevision,
    status: now >= statusAt || addedServers(report, published).length > 0,
  };
}

/** What stands in etcd after a put. */
export function afterPut(
  published: Published,
  step: Put,
  { applied, status, now }: Pick<Report, "applied" | "status"> & { readonly now: number },
): Published {
  const withApplied = step.applied ? { ...published, applied, appliedAt: now } : published;
  if (!step.status) return withApplied;
  const isCounted = published.status !== undefined && !hasSameCounts(status, published.status);
  const countsLeft = Math.max(0, published.countsLeft - Number(isCounted));
  return { ...withApplied, status, statusAt: now, countsLeft };
}

/** When a put of `applied` is due; `Infinity`: it has not changed. */
function appliedDue(report: Report, published: Published): number {
  const { applied, drainingSince } = report;
  if (applied === undefined || applied === published.applied) return Infinity;
  const due = published.appliedAt + appliedEveryMs(report, published);
  const since = addedServers(report, published).map((server) => drainingSince.get(server) ?? -Infinity);
  if (since.length === 0) return due;
  return Math.max(due, published.statusAt + SOON_MS, Math.min(...since) + SETTLE_MS);
}

function appliedEveryMs(report: Report, published: Published): number {
  return isUrgent(report, published) ? URGENT_EVERY_MS : APPLIED_EVERY_MS;
}

/** A revision that went backwards is one of another store: what stands there is wrong. */
function isUrgent({ applied, urgent }: Report, published: Published): boolean {
  if (published.applied === undefined || applied === undefined) return true;
  return applied < published.applied || urgent !== undefined && urgent > published.applied;
}

/** When a put of `status` is due; `Infinity`: it has not changed. */
function statusDue({ status }: Report, published: Published): number {
  if (published.status === undefined || lastingPart(status) === lastingPart(published.status)) {
    return Infinity;
  }
  const isSoon = status.draining.join() !== published.status.draining.join() ||
    published.countsLeft > 0 && !hasSameCounts(status, published.status);
  return published.statusAt + (isSoon ? SOON_MS : STATUS_EVERY_MS);
}

function hasSameCounts({ servers: { total, up } }: NodeStatus, { servers }: NodeStatus): boolean {
  return total === servers.total && up === servers.up;
}

function addedServers({ status }: Report, published: Published): string[] {
  const known = new Set(published.status?.draining);
  return status.draining.filter((server) => !known.has(server));
}

/** The status without what changes all the time and alone is no reason for a put. */
function lastingPart(status: NodeStatus): string {
  const { at: _at, tookMs: _tookMs, lagMs: _lagMs, revision, ...others } = status;
  return JSON.stringify({ ...others, revision: `${revision}` });
}
