import type { NodeStatus } from "./keys.ts";

/** What a node has to report. Times are milliseconds of `performance.now()`. */
export interface Report {
  /** The newest verified revision; undefined: none yet. */
  readonly applied: bigint | undefined;
  /** The newest verified revision that is urgent, see urgent.ts. */
  readonly urgent: bigint | undefined;
  readonly status: NodeStatus;
  /** Since when each draining server has been known to drain. */
  readonly drainingSince: ReadonlyMap<string, number>;
}

/** What etcd holds. */
export interface Published {
  /** May be left by an earlier run of this node. */
  readonly applied: bigint | undefined;
  readonly appliedAt: number;
  /** Undefined: nothing was put yet. */
  readonly status: NodeStatus | undefined;
  readonly statusAt: number;
  /** How many more changes of the number of servers that are up may be put soon. */
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
  // A node puts its first status before it has seen any server; then it sees them, and then their health.
  countsLeft: 2,
};

const URGENT_EVERY_MS = 250;
const APPLIED_EVERY_MS = 5_000;
const STATUS_EVERY_MS = 10_000;
/** A client that waits for a drained server, or looks at a node that has just started, waits for this as well. */
const SOON_MS = 1_000;
/** Most requests end within this time: waiting for them saves two puts of the status. */
const SETTLE_MS = 250;

/**
 * Decides what to put. etcd keeps the history of every put, so they are rare. `applied` is put at most every 250 ms when
 * a client may be waiting for it, else every 5 s. A changed `status` is put at most every 10 s, or every second when the
 * draining servers changed or, at first, the counts of servers.
 *
 * The status beside a revision must list every server that still held requests at that revision. So a revision with
 * unlisted servers is put together with a status that lists them, or waits for it.
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

/** What etcd holds after a put. */
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

function appliedEveryMs({ applied, urgent }: Report, published: Published): number {
  if (published.applied === undefined || applied === undefined) return URGENT_EVERY_MS;
  // A revision that went backwards is one of another store: the published one is wrong.
  const isUrgent = applied < published.applied || urgent !== undefined && urgent > published.applied;
  return isUrgent ? URGENT_EVERY_MS : APPLIED_EVERY_MS;
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

/** The status without the fields that change all the time and are no reason for a put. */
function lastingPart(status: NodeStatus): string {
  const { at: _at, tookMs: _tookMs, lagMs: _lagMs, revision, ...others } = status;
  return JSON.stringify({ ...others, revision: `${revision}` });
}
