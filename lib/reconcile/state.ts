import { backoffDelay } from "../util/backoff.ts";
import { type GuardState, INITIAL_GUARD } from "../guard/guard.ts";
import type { Model, Refusal, Refusals } from "../registry/model.ts";
import { serverKey } from "../registry/model.ts";
import type { Observed } from "../plan/observed.ts";
import { afterReload, NO_RELOADS, type ReloadHistory } from "../plan/pace.ts";

/** A base that HAProxy refused or failed to load. Times are monotonic milliseconds. */
export interface RefusedBase {
  readonly digest: string;
  readonly reason: string;
  readonly attempts: number;
  readonly retryAt: number;
}

/** What one pass leaves to the next. A value: every change makes a new one. */
export interface NodeState {
  readonly refusals: Refusals;
  /** The base that HAProxy was last verified to run. */
  readonly goodBase: string | undefined;
  readonly refusedBase: RefusedBase | undefined;
  readonly reloads: ReloadHistory;
  /** A reload has been asked for right after the last one. */
  readonly reloadCrowds: boolean;
  /** Passes in a row that failed. */
  readonly failures: number;
  /** What the worker was last seen to run; undefined when it has to be asked. */
  readonly known: { readonly workerPid: number; readonly observed: Observed } | undefined;
  /** The text that HAProxy was last brought to. */
  readonly reachedText: string | undefined;
  /** Steps at run time had no effect: the next plan goes by a reload. */
  readonly reloadNext: boolean;
  /** Passes in a row that left removed servers with requests. */
  readonly pendingPasses: number;
  readonly guard: GuardState;
  /** Why HAProxy does not run what the registry asks for; undefined when it does, or when nothing was tried yet. */
  readonly applyError: string | undefined;
  /** Why the last good configuration could not be kept; undefined when it could. */
  readonly lastGoodError: string | undefined;
}

export const INITIAL_STATE: NodeState = {
  refusals: new Map(),
  goodBase: undefined,
  refusedBase: undefined,
  reloads: NO_RELOADS,
  reloadCrowds: false,
  failures: 0,
  known: undefined,
  reachedText: undefined,
  reloadNext: false,
  pendingPasses: 0,
  guard: INITIAL_GUARD,
  applyError: undefined,
  lastGoodError: undefined,
};

/** After a failed pass: the node must be right again within 5 s of the end of the fault. */
const FAILURE_BACKOFF = { minMs: 500, maxMs: 3_000 };
/**
 * Between attempts at a refused base. Each check or load costs CPU, and an operator has to change something: another text
 * is tried at once. A veto costs nothing, and the address may be free at any moment.
 */
const BASE_BACKOFF = {
  refused: { minMs: 500, maxMs: 30_000 },
  vetoed: { minMs: 500, maxMs: 3_000 },
};

/** Remembers entries that HAProxy refused; refusals of entries that were changed or deleted since are forgotten. */
export function withRefusals(
  state: NodeState,
  refused: ReadonlyMap<string, Refusal>,
  model: Model,
): NodeState {
  const revisions = new Map(
    model.services.flatMap(({ servers }) => servers.map((s) => [serverKey(s), s.revision])),
  );
  // Entries that were refused before are among the rejections, under their whole key.
  for (const { key, revision } of model.rejections) {
    revisions.set(key.split("/").slice(-2).join("/"), revision);
  }
  const all = [...state.refusals, ...refused].filter(([key, { revision }]) =>
    revisions.get(key) === revision
  );
  return { ...state, refusals: new Map(all) };
}

/** Remembers that a base was refused; the same base is tried again by back-off, another one at once. */
export function withRefusedBase(
  state: NodeState,
  refused: { digest: string; reason: string; by: keyof typeof BASE_BACKOFF; now: number; random: number },
): NodeState {
  const { digest, reason, by, now, random } = refused;
  const attempts = state.refusedBase?.digest === digest ? state.refusedBase.attempts + 1 : 1;
  const retryAt = now + backoffDelay({ ...BASE_BACKOFF[by], attempt: attempts, random });
  return { ...state, refusedBase: { digest, reason, attempts, retryAt } };
}

/** Remembers that HAProxy runs this configuration. With a rendered base, earlier refusals are over. */
export function withVerified(state: NodeState, verified: { base: string; isRendered: boolean }): NodeState {
  const refusedBase = verified.isRendered ? undefined : state.refusedBase;
  return { ...state, goodBase: verified.base, refusedBase, failures: 0 };
}

/** Remembers that a reload was tried, whatever its result. */
export function withReload(state: NodeState, endedAt: number): NodeState {
  const reloads = afterReload(state.reloads, { endedAt, crowded: state.reloadCrowds });
  return { ...state, reloads, reloadCrowds: false, reloadNext: false, known: undefined };
}

/** Remembers that a pass failed, and tells when to try again. */
export function withFailure(
  state: NodeState,
  { now, random }: { now: number; random: number },
): { state: NodeState; retryAt: number } {
  const failures = state.failures + 1;
  return {
    state: { ...state, failures, known: undefined },
    retryAt: now + backoffDelay({ ...FAILURE_BACKOFF, attempt: failures, random }),
  };
}
