import { failureOf, type Outcome } from "./apply.ts";
import { backoffDelay } from "../util/backoff.ts";
import { baseDigest, joinConfig, serverAtLine } from "../config/text.ts";
import type { GuardVerdict } from "../guard/apply_guard.ts";
import { afterGuard, type GuardState } from "../guard/guard.ts";
import type { Pace } from "../plan/pace.ts";
import { findServer, type Model, type Refusal, serverKey } from "../registry/model.ts";
import type { Desired } from "./desired.ts";
import type { Observation } from "./observe.ts";
import type { Decision, Requeue } from "./pass.ts";
import type { Alert } from "./ports.ts";
import {
  type NodeState,
  withFailure,
  withRefusals,
  withRefusedBase,
  withReload,
  withVerified,
} from "./state.ts";

/** A pass that was made: all of it but what it leaves to the next. */
export interface MadePass {
  readonly model: Model;
  readonly guard: GuardVerdict;
  readonly observed: Observation;
  readonly decision: Decision;
  readonly outcome: Outcome | undefined;
}

/** What time it is, and by chance. Monotonic milliseconds; `random` is in [0, 1). */
export interface AfterClock {
  readonly now: number;
  readonly random: number;
  readonly guardTimeMs: number;
}

/** What a pass leaves. */
export interface Next {
  readonly state: NodeState;
  readonly requeue: Requeue;
}

/** How often removed servers that still hold requests are asked again. */
const PENDING = { minMs: 100, maxMs: 2_000 };

/** While a base is refused, its template is looked at again: one that was mended is another text. */
const LOOK_MS = 3_000;
/** A last good copy that could not be kept is written again after this time. */
const KEEP_AGAIN_MS = 3_000;

/** What a pass leaves to the next one: an entry or a base to leave out, a reload to wait for, a time to try again. */
export function afterPass(pass: MadePass, before: NodeState, clock: AfterClock): Next {
  const { state, requeue } = afterOutcome(pass, withSeen(before, pass, clock), clock);
  const guard = guardAfter(pass, { inFile: isWritten(pass.outcome), timeMs: clock.guardTimeMs });
  const isOver = requeue.kind !== "at-once";
  return {
    state: { ...(isOver ? withErrors(state, pass.outcome) : state), guard },
    requeue: earlier(requeue, pass.guard.lookAt),
  };
}

/** A plan that was put off tells nothing new of what failed before. */
function withErrors(state: NodeState, outcome: Outcome | undefined): NodeState {
  if (outcome === undefined) return state;
  if (outcome.kind !== "reached") return { ...state, applyError: failureOf(outcome) };
  return { ...state, applyError: undefined, lastGoodError: outcome.lastGoodError };
}

/** What the guard remembers; `inFile` tells that its model is in the file now. */
export function guardAfter(
  { model, guard }: Pick<MadePass, "model" | "guard">,
  { inFile, timeMs }: { readonly inFile: boolean; readonly timeMs: number },
): GuardState {
  const { known, held, released, decidedAt } = guard;
  return afterGuard(known, { model, held, released }, { inFile, now: decidedAt, timeMs });
}

/** Whether the file holds what the pass wanted. */
function isWritten(outcome: Outcome | undefined): boolean {
  return outcome?.kind === "reached" && outcome.observed.kind !== "starting";
}

function earlier(requeue: Requeue, at: number | undefined): Requeue {
  if (at === undefined || requeue.kind === "at-once") return requeue;
  return { kind: "at", at: requeue.kind === "at" ? Math.min(requeue.at, at) : at };
}

/** Remembers what was seen, also if the plan is put off: the pass that makes it must not know less. */
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
      return afterRefusal(pass, known, { alerts: outcome.alerts, clock });
    case "vetoed":
      return withoutBase(known, { decision, reason: outcome.reason, by: "vetoed", clock });
    case "reload-failed":
      if (!isNewBase(known, decision)) return tryLater(known, clock);
      return withoutBase(known, { decision, reason: outcome.reason, by: "refused", clock });
    case "failed":
      return tryLater(known, clock);
  }
}

function putOff(state: NodeState, pace: Pace): Next {
  if (pace.kind === "now" || pace.at === undefined) return { state, requeue: { kind: "when-changed" } };
  const reloadCrowds = state.reloadCrowds || pace.crowded;
  return { state: { ...state, reloadCrowds }, requeue: { kind: "at", at: pace.at } };
}

function afterReached(
  { observed, decision }: MadePass,
  state: NodeState,
  { outcome, clock }: { outcome: Extract<Outcome, { kind: "reached" }>; clock: AfterClock },
): Next {
  const { desired, plan } = decision;
  if (outcome.observed.kind !== "up") {
    return { state: { ...state, failures: 0, known: undefined }, requeue: { kind: "when-changed" } };
  }
  const isRendered = desired.base === "rendered";
  const verified = withVerified(state, { base: desired.config.base, isRendered });
  const { workerPid } = observed.processes;
  // After a reload another worker runs, whose id the next look tells.
  const isUnknown = plan.kind === "reload" || workerPid === undefined;
  const known = isUnknown ? undefined : { workerPid, observed: outcome.observed };
  const pendingPasses = outcome.pending > 0 ? state.pendingPasses + 1 : 0;
  const next = { ...verified, known, pendingPasses, reachedText: joinConfig(desired.config) };
  return { state: next, requeue: soonest(dueTimes(next, { decision, outcome, clock })) };
}

/** When something that was reached has to be looked at again. */
function dueTimes(
  { refusedBase, pendingPasses }: NodeState,
  { decision, outcome, clock }: {
    decision: Decision;
    outcome: Extract<Outcome, { kind: "reached" }>;
    clock: AfterClock;
  },
): number[] {
  const { now, random } = clock;
  const times = [
    outcome.pending > 0 ? now + backoffDelay({ ...PENDING, attempt: pendingPasses, random }) : undefined,
    decision.desired.base === "last-good" && refusedBase !== undefined
      ? Math.min(refusedBase.retryAt, now + LOOK_MS)
      : undefined,
    outcome.lastGoodError === undefined ? undefined : now + KEEP_AGAIN_MS,
    decision.reloadAt,
  ];
  return times.filter((at) => at !== undefined);
}

function soonest(times: readonly number[]): Requeue {
  return times.length === 0 ? { kind: "when-changed" } : { kind: "at", at: Math.min(...times) };
}

function afterRefusal(
  pass: MadePass,
  state: NodeState,
  { alerts, clock }: { alerts: readonly Alert[]; clock: AfterClock },
): Next {
  const { decision, model } = pass;
  const entries = namedEntries(model, decision.desired, alerts);
  if (entries.size > 0) {
    return { state: withRefusals(state, entries, model), requeue: { kind: "at-once" } };
  }
  const reason = alerts.map(({ message }) => message).join("; ");
  if (isNewBase(state, decision)) return withoutBase(state, { decision, reason, by: "refused", clock });
  return tryLater(state, clock);
}

/** The entries whose server HAProxy names, by line or by name. */
function namedEntries(model: Model, desired: Desired, alerts: readonly Alert[]): Map<string, Refusal> {
  const named = alerts.flatMap(({ line, server, message }) => {
    const place = (line === undefined ? undefined : serverAtLine(desired.config, line)) ?? server;
    const entry = place && findServer(model, place.backend, place.server);
    if (entry === undefined) return [];
    return [
      [serverKey(entry), { revision: entry.revision, reason: `HAProxy refuses it: ${message}` }] as const,
    ];
  });
  return new Map(named);
}

function isNewBase({ goodBase }: NodeState, { desired }: Decision): boolean {
  return desired.base === "rendered" && desired.config.base !== goodBase;
}

interface BaseProblem {
  readonly decision: Decision;
  readonly reason: string;
  readonly by: "refused" | "vetoed";
  readonly clock: AfterClock;
}

function withoutBase(state: NodeState, { decision, reason, by, clock }: BaseProblem): Next {
  const digest = baseDigest(decision.desired.config.base);
  const { now, random } = clock;
  const next = withRefusedBase(state, { digest, reason, by, now, random });
  if (next.goodBase !== undefined) return { state: next, requeue: { kind: "at-once" } };
  return { state: next, requeue: { kind: "at", at: next.refusedBase?.retryAt ?? now } };
}

function tryLater(state: NodeState, clock: AfterClock): Next {
  const failed = withFailure(state, clock);
  return { state: failed.state, requeue: { kind: "at", at: failed.retryAt } };
}
