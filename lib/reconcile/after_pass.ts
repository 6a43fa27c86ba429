import { failureOf, type Outcome, type Reached, type Refused } from "./apply.ts";
import { backoffDelay } from "../util/backoff.ts";
import { baseDigest, joinConfig, serverAtLine } from "../config/text.ts";
import { afterGuard } from "../guard/guard.ts";
import type { Pace } from "../plan/pace.ts";
import { findServer, type Model, type Refusal, serverKey } from "../registry/model.ts";
import { type Desired, servicesInFile } from "./desired.ts";
import type { Decision, Pass, Requeue } from "./pass.ts";
import type { Alert } from "./ports.ts";
import {
  type NodeState,
  withFailure,
  withRefusals,
  withRefusedBase,
  withReload,
  withVerified,
} from "./state.ts";

/** A pass that was made: all of it except what it leaves to the next. */
export type MadePass = Pick<Pass, "model" | "guard" | "observed" | "decision" | "outcome">;

/** The time in monotonic milliseconds, a random number in [0, 1), and the guard's time in milliseconds. */
export interface AfterClock {
  readonly now: number;
  readonly random: number;
  readonly guardTimeMs: number;
}

/** What a pass leaves to the next one. */
export interface Next {
  readonly state: NodeState;
  readonly requeue: Requeue;
}

/** How often HAProxy is asked again about removed servers that still hold requests. */
const PENDING = { minMs: 100, maxMs: 2_000 };

/** While a base is refused, its template is read again: a repaired template makes another text. */
const LOOK_MS = 3_000;
/** A last good copy that could not be kept is written again after this time. */
const KEEP_AGAIN_MS = 3_000;

/** Decides what a pass leaves to the next one: an entry or a base to leave out, a reload to wait for, a time to try again. */
export function afterPass(pass: MadePass, before: NodeState, clock: AfterClock): Next {
  const { state, requeue } = afterOutcome(pass, withSeen(before, pass, clock), clock);
  const inFile = isWritten(pass.outcome) ? servicesInFile(pass.model, pass.decision.desired) : undefined;
  const guard = afterGuard(pass, { inFile, timeMs: clock.guardTimeMs });
  const isOver = requeue.kind !== "at-once";
  return {
    state: { ...(isOver ? withErrors(state, pass.outcome) : state), guard },
    requeue: earlier(requeue, pass.guard.lookAt),
  };
}

/** A plan that was put off does not change the errors of the passes before. */
function withErrors(state: NodeState, outcome: Outcome | undefined): NodeState {
  if (outcome === undefined) return state;
  if (outcome.kind !== "reached") return { ...state, applyError: failureOf(outcome) };
  return { ...state, applyError: undefined, lastGoodError: outcome.lastGoodError };
}

/** Whether the pass wrote the file that it wanted. */
function isWritten(outcome: Outcome | undefined): boolean {
  return outcome?.kind === "reached" && outcome.observed.kind !== "starting";
}

function earlier(requeue: Requeue, at: number | undefined): Requeue {
  if (at === undefined || requeue.kind === "at-once") return requeue;
  return requeueAt(requeue.kind === "at" ? Math.min(requeue.at, at) : at);
}

/** Remembers what the pass saw, also if its plan is put off: the pass that applies it must not know less. */
function withSeen(before: NodeState, { observed, decision }: MadePass, clock: AfterClock): NodeState {
  const { running, baseText } = observed;
  const { workerPid } = observed.processes;
  const known = running.kind === "up" && workerPid !== undefined
    ? { workerPid, observed: running }
    : undefined;
  const state = { ...before, goodBase: baseText, known };
  const { templateError } = decision.desired;
  return templateError === undefined ? state : withFailedTemplate(state, templateError, clock);
}

/** A template has no digest. It is rendered in every pass; only one that comes after the back-off counts as an attempt. */
function withFailedTemplate(state: NodeState, reason: string, { now, random }: AfterClock): NodeState {
  const { refusedBase } = state;
  const isKnown = refusedBase?.digest === "" && refusedBase.reason === reason && now < refusedBase.retryAt;
  return isKnown ? state : withRefusedBase(state, { digest: "", reason, by: "refused", now, random });
}

function afterOutcome(pass: MadePass, state: NodeState, clock: AfterClock): Next {
  const { outcome, decision } = pass;
  if (outcome === undefined) return putOff(state, decision.pace);
  const isReloaded = decision.plan.kind === "reload" && outcome.kind !== "refused" &&
    outcome.kind !== "vetoed";
  const known = isReloaded ? withReload(state, clock.now) : state;
  switch (outcome.kind) {
    case "reached":
      return afterReached(pass, known, { outcome, clock });
    case "incomplete":
      return { state: { ...known, reloadNext: true, known: undefined }, requeue: { kind: "at-once" } };
    case "refused":
      return afterRefusal(pass, known, { outcome, clock });
    case "vetoed":
      return withoutBase(known, { decision, reason: outcome.reason, by: "vetoed", clock });
    case "reload-failed":
      return afterBadBase(known, { decision, reason: outcome.reason, clock });
    case "failed":
      return tryLater(known, clock);
  }
}

function putOff(state: NodeState, pace: Pace): Next {
  if (pace.kind === "now" || pace.at === undefined) return { state, requeue: requeueAt(Infinity) };
  const reloadCrowds = state.reloadCrowds || pace.crowded;
  return { state: { ...state, reloadCrowds }, requeue: requeueAt(pace.at) };
}

function afterReached(
  { observed, decision }: MadePass,
  state: NodeState,
  { outcome, clock }: { outcome: Reached; clock: AfterClock },
): Next {
  const { desired, plan } = decision;
  if (outcome.observed.kind !== "up") {
    return { state: { ...state, failures: 0, known: undefined }, requeue: requeueAt(Infinity) };
  }
  const verified = withVerified(state, {
    base: desired.config.base,
    isRendered: desired.base === "rendered",
  });
  const { workerPid } = observed.processes;
  // After a reload another worker runs, and the next look tells its id.
  const isUnknown = plan.kind === "reload" || workerPid === undefined;
  const known = isUnknown ? undefined : { workerPid, observed: outcome.observed };
  const pendingPasses = outcome.pending > 0 ? state.pendingPasses + 1 : 0;
  const next = { ...verified, known, pendingPasses, reachedText: joinConfig(desired.config) };
  return { state: next, requeue: requeueAt(lookAgainAt(next, { decision, outcome, clock })) };
}

/** When the result has to be looked at again, in monotonic milliseconds; Infinity: not by itself. */
function lookAgainAt(
  { refusedBase, pendingPasses }: NodeState,
  { decision, outcome, clock }: { decision: Decision; outcome: Reached; clock: AfterClock },
): number {
  const { now, random } = clock;
  const isRefused = decision.desired.base === "last-good" && refusedBase !== undefined;
  return Math.min(
    outcome.pending > 0 ? now + backoffDelay({ ...PENDING, attempt: pendingPasses, random }) : Infinity,
    isRefused ? Math.min(refusedBase.retryAt, now + LOOK_MS) : Infinity,
    outcome.lastGoodError === undefined ? Infinity : now + KEEP_AGAIN_MS,
    decision.reloadAt ?? Infinity,
  );
}

/** Infinity: when something changes. */
function requeueAt(at: number): Requeue {
  return at === Infinity ? { kind: "when-changed" } : { kind: "at", at };
}

function afterRefusal(
  { decision, model }: MadePass,
  state: NodeState,
  { outcome, clock }: { outcome: Refused; clock: AfterClock },
): Next {
  const entries = namedEntries(model, decision.desired, outcome.alerts);
  if (entries.size > 0) return { state: withRefusals(state, entries, model), requeue: { kind: "at-once" } };
  return afterBadBase(state, { decision, reason: failureOf(outcome) ?? "", clock });
}

/** A base that HAProxy refused or failed to load is left out for a while; one that it has run before is tried again. */
function afterBadBase(
  state: NodeState,
  problem: { decision: Decision; reason: string; clock: AfterClock },
): Next {
  const { desired } = problem.decision;
  const isNew = desired.base === "rendered" && desired.config.base !== state.goodBase;
  return isNew ? withoutBase(state, { ...problem, by: "refused" }) : tryLater(state, problem.clock);
}

/** The entries whose server HAProxy names, by line or by name. */
function namedEntries(model: Model, desired: Desired, alerts: readonly Alert[]): Map<string, Refusal> {
  const named = alerts.flatMap(({ line, server, message }) => {
    const place = (line === undefined ? undefined : serverAtLine(desired.config, line)) ?? server;
    const entry = place && findServer(model, place.backend, place.server);
    if (entry === undefined) return [];
    const refusal: Refusal = { revision: entry.revision, reason: `HAProxy refuses it: ${message}` };
    return [[serverKey(entry), refusal] as const];
  });
  return new Map(named);
}

function withoutBase(
  state: NodeState,
  { decision, reason, by, clock: { now, random } }: {
    decision: Decision;
    reason: string;
    by: "refused" | "vetoed";
    clock: AfterClock;
  },
): Next {
  const digest = baseDigest(decision.desired.config.base);
  const next = withRefusedBase(state, { digest, reason, by, now, random });
  if (next.goodBase !== undefined) return { state: next, requeue: { kind: "at-once" } };
  return { state: next, requeue: requeueAt(next.refusedBase?.retryAt ?? now) };
}

function tryLater(state: NodeState, clock: AfterClock): Next {
  const failed = withFailure(state, clock);
  return { state: failed.state, requeue: requeueAt(failed.retryAt) };
}
