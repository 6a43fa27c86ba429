import { onlyAdds, type Plan } from "./plan.ts";

/**
 * Whether a plan is applied now. `at` is when it may be at the earliest; undefined: when the registry is quiet. `crowded`
 * tells that the plan came within the plain interval after the last reload: only such reloads make the interval grow.
 */
export type Pace = { readonly kind: "now" } | Later;

interface Later {
  readonly kind: "later";
  readonly at: number | undefined;
  readonly reason: string;
  readonly crowded: boolean;
}

/** Earlier reloads. Times are monotonic milliseconds. */
export interface ReloadHistory {
  /** When the last reload ended; undefined before the first. */
  readonly lastEndedAt: number | undefined;
  /** How many reloads in a row came right after the one before. */
  readonly crowded: number;
}

export const NO_RELOADS: ReloadHistory = { lastEndedAt: undefined, crowded: 0 };

/** Each old worker holds its connections and its memory. */
const MAX_OLD_WORKERS = 4;
const MAX_INTERVAL_MS = 30_000;
const OLD_WORKERS_RETRY_MS = 500;

export interface PaceInput {
  readonly plan: Plan;
  readonly now: number;
  /** No change came within the quiet window. */
  readonly quiet: boolean;
  readonly reloadIntervalMs: number;
  readonly history: ReloadHistory;
  readonly oldWorkers: number;
}

/**
 * Decides when a plan is applied. A plan that takes traffic from a server waits for the quiet window, so that a key which
 * is deleted and put again within it costs no request. A reload also waits for old workers to end, and for the interval
 * since the last reload. The interval doubles up to 30 s while each reload comes right after the last.
 */
export function pace(input: PaceInput): Pace {
  const { plan, now, quiet, oldWorkers } = input;
  if (plan.kind === "nothing" || plan.kind === "write") return { kind: "now" };
  if (plan.kind === "runtime" && onlyAdds(plan.steps)) return { kind: "now" };
  if (!quiet) return { kind: "later", at: undefined, reason: "changes are still coming", crowded: false };
  if (plan.kind === "runtime") return { kind: "now" };
  const at = earliestReload(input);
  if (now < at) {
    return { kind: "later", at, reason: "the last reload is too recent", crowded: isCrowded(input) };
  }
  if (oldWorkers <= MAX_OLD_WORKERS) return { kind: "now" };
  const reason = `${oldWorkers} old workers still live`;
  return { kind: "later", at: now + OLD_WORKERS_RETRY_MS, reason, crowded: false };
}

function earliestReload({ history, reloadIntervalMs }: PaceInput): number {
  if (history.lastEndedAt === undefined) return 0;
  return history.lastEndedAt + Math.min(MAX_INTERVAL_MS, reloadIntervalMs * 2 ** history.crowded);
}

function isCrowded({ now, history, reloadIntervalMs }: PaceInput): boolean {
  return history.lastEndedAt !== undefined && now < history.lastEndedAt + reloadIntervalMs;
}

/** The history after a reload; `crowded` tells whether it came right after the one before. */
export function afterReload(
  history: ReloadHistory,
  { endedAt, crowded }: { endedAt: number; crowded: boolean },
): ReloadHistory {
  return { lastEndedAt: endedAt, crowded: crowded ? Math.min(history.crowded + 1, 10) : 0 };
}
