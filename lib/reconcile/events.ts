import { missingBackends } from "../config/text.ts";
import type { Observed, ObservedServer } from "../plan/observed.ts";
import { countLines, describePlan, type Plan } from "../plan/plan.ts";
import type { ReloadCause } from "../plan/reload.ts";
import type { Step } from "../plan/step.ts";
import type { Rejection } from "../registry/entry.ts";
import { countServers, type Model, serverKey } from "../registry/model.ts";
import { memoByObject } from "../util/memo.ts";
import { failureOf, type Outcome } from "./apply.ts";
import { lastObserved, type Pass } from "./pass.ts";

/** What a pass did, in numbers and words. */
export interface PassSummary {
  readonly revision: number;
  readonly plan: Plan["kind"];
  readonly tookMs: number;
  readonly services: number;
  readonly servers: number;
  readonly pendingRemovals: number;
  readonly driftRepairs: number;
  /** The first steps of the plan; `moreSteps` are left out. */
  readonly steps: readonly string[];
  readonly moreSteps: number;
}

/** What a pass changed, or found changed. Text in it comes from outside and is not escaped. */
export type PassEvent =
  | ({ readonly kind: "plan-put-off"; readonly reason: string } & PassSummary)
  /** `goesOn`: all that was done is to ask removed servers again, which hold requests. */
  | ({ readonly kind: "applied"; readonly goesOn: boolean } & PassSummary)
  /** `startsOver`: the next pass leaves out what failed, at once. */
  | ({
    readonly kind: "not-applied";
    readonly outcome: Outcome["kind"];
    readonly reason: string;
    readonly startsOver: boolean;
  } & PassSummary)
  | {
    readonly kind: "reload";
    readonly cause: ReloadCause;
    readonly reason: string;
    readonly result: "loaded" | "failed" | "vetoed";
  }
  | {
    readonly kind: "step";
    readonly service: string;
    readonly server: string;
    readonly action: Step["kind"];
    readonly reason: string;
  }
  | {
    readonly kind: "rejected" | "rejection-gone";
    readonly service: string;
    readonly key: string;
    readonly reason: string;
    readonly revision: number;
  }
  | { readonly kind: "held"; readonly service: string; readonly server: string; readonly goesInMs: number }
  | { readonly kind: "released"; readonly service: string; readonly server: string; readonly reason: string }
  | {
    readonly kind: "server-up" | "server-down";
    readonly service: string;
    readonly server: string;
    readonly reason: string;
  }
  | {
    readonly kind: "base-refused";
    readonly reason: string;
    readonly attempts: number;
    readonly pendingBackends: readonly string[];
  }
  | { readonly kind: "base-accepted" }
  | { readonly kind: "last-good-not-kept"; readonly reason: string }
  | { readonly kind: "last-good-kept" };

/** How many steps a summary shows. */
const SHOWN_STEPS = 20;

/** All that happened from one pass to the next. Before the first pass nothing was rejected, held or known to be up. */
export function eventsBetween(before: Pass | undefined, after: Pass): PassEvent[] {
  return [
    ...rejectionEvents(before, after),
    ...guardEvents(before, after),
    ...baseEvents(before, after),
    ...planEvents(after),
    ...lastGoodEvents(before, after),
    ...healthEvents(before, after),
  ];
}

/** Outcomes after which HAProxy runs what it ran before: no step was made. */
const UNCHANGED: ReadonlySet<Outcome["kind"]> = new Set(["refused", "vetoed", "reload-failed"]);

function planEvents(pass: Pass): PassEvent[] {
  const { decision: { plan, pace }, outcome } = pass;
  if (plan.kind === "nothing") return [];
  if (outcome === undefined) {
    const reason = pace.kind === "later" ? pace.reason : "";
    return [{ kind: "plan-put-off", reason, ...summaryOf(pass) }];
  }
  const steps = UNCHANGED.has(outcome.kind) ? [] : stepEvents(plan);
  return [...steps, ...reloadEvents(plan, outcome), outcomeEvent(pass, outcome)];
}

function outcomeEvent(pass: Pass, outcome: Outcome): PassEvent {
  const summary = summaryOf(pass);
  if (outcome.kind === "reached") {
    return { kind: "applied", goesOn: isOnlyAskedAgain(pass.decision.plan), ...summary };
  }
  const startsOver = pass.requeue.kind === "at-once";
  return {
    kind: "not-applied",
    outcome: outcome.kind,
    reason: failureOf(outcome) ?? "",
    startsOver,
    ...summary,
  };
}

function isOnlyAskedAgain(plan: Plan): boolean {
  return plan.kind === "runtime" &&
    plan.steps.every((step) => step.kind === "remove" && (step.isDraining || step.isMaint));
}

function summaryOf({ model, decision: { plan }, outcome, drift, tookMs }: Pass): PassSummary {
  return {
    revision: Number(model.revision),
    plan: plan.kind,
    tookMs: Math.round(tookMs),
    services: model.services.length,
    servers: countServers(model),
    pendingRemovals: outcome?.kind === "reached" ? outcome.pending : 0,
    driftRepairs: drift,
    steps: describePlan(plan, SHOWN_STEPS),
    moreSteps: Math.max(0, countLines(plan) - SHOWN_STEPS),
  };
}

function stepEvents(plan: Plan): PassEvent[] {
  if (plan.kind !== "runtime" && plan.kind !== "reload") return [];
  return plan.steps.filter((step) => !(step.kind === "remove" && (step.isDraining || step.isMaint)))
    .map(({ kind, backend, server, reason }) => ({
      kind: "step",
      service: backend,
      server,
      action: kind,
      reason,
    }));
}

function reloadEvents(plan: Plan, outcome: Outcome): PassEvent[] {
  if (plan.kind !== "reload" || outcome.kind === "refused") return [];
  const { cause, reason } = plan;
  const result = outcome.kind === "reached" ? "loaded" : outcome.kind === "vetoed" ? "vetoed" : "failed";
  return [{ kind: "reload", cause, reason, result }];
}

const rejectionsByKey = memoByObject(({ rejections }: Model) =>
  new Map(rejections.map((rejection) => [rejection.key, rejection]))
);
const NO_REJECTIONS: ReadonlyMap<string, Rejection> = new Map();

function rejectionEvents(before: Pass | undefined, after: Pass): PassEvent[] {
  const old = before === undefined ? NO_REJECTIONS : rejectionsByKey(before.model);
  const now = rejectionsByKey(after.model);
  if (old.size === 0 && now.size === 0) return [];
  const fresh = [...now.values()].filter((rejection) => !isSame(old.get(rejection.key), rejection));
  const gone = [...old.values()].filter(({ key }) => !now.has(key));
  return [
    ...fresh.map((rejection) => rejectionEvent("rejected", rejection)),
    ...gone.map((rejection) => rejectionEvent("rejection-gone", rejection)),
  ];
}

function isSame(old: Rejection | undefined, { revision, reason }: Rejection): boolean {
  return old?.revision === revision && old.reason === reason;
}

function rejectionEvent(
  kind: "rejected" | "rejection-gone",
  { key, reason, revision }: Rejection,
): PassEvent {
  return { kind, service: key.split("/").at(-2) ?? "", key, reason, revision: Number(revision) };
}

function guardEvents(before: Pass | undefined, after: Pass): PassEvent[] {
  const { held, released } = after.guard;
  const old = new Set(before?.guard.held.map(({ server }) => serverKey(server)));
  if (old.size === 0 && held.length === 0) return [];
  const now = new Set(held.map(({ server }) => serverKey(server)));
  const fresh = held.filter(({ server }) => !old.has(serverKey(server)));
  const reasons = new Map(released.map(({ server, reason }) => [serverKey(server), reason]));
  const gone = (before?.guard.held ?? []).filter(({ server }) => !now.has(serverKey(server)));
  return [
    ...fresh.map(({ server, until }): PassEvent => ({
      kind: "held",
      service: server.service,
      server: server.id,
      goesInMs: Math.max(0, Math.round(until - after.endedAt)),
    })),
    ...gone.map(({ server }): PassEvent => ({
      kind: "released",
      service: server.service,
      server: server.id,
      reason: reasons.get(serverKey(server)) ?? "its entry is back",
    })),
  ];
}

function baseEvents(before: Pass | undefined, after: Pass): PassEvent[] {
  const [old, now] = [before?.state.refusedBase, after.state.refusedBase];
  if (now === undefined) return old === undefined ? [] : [{ kind: "base-accepted" }];
  if (old?.digest === now.digest && old.attempts === now.attempts) return [];
  const pendingBackends = pendingBackendsOf(after);
  return [{ kind: "base-refused", reason: now.reason, attempts: now.attempts, pendingBackends }];
}

/** The pass in which a base is refused still has the rendered one; the next goes on with the last good one. */
function pendingBackendsOf({ decision: { desired }, state: { goodBase } }: Pass): readonly string[] {
  if (desired.base === "last-good" || goodBase === undefined) return desired.pendingBackends;
  return missingBackends({ base: goodBase, servers: desired.config.servers });
}

function lastGoodEvents(before: Pass | undefined, after: Pass): PassEvent[] {
  const [old, now] = [before?.state.lastGoodError, after.state.lastGoodError];
  if (now === old) return [];
  return [now === undefined ? { kind: "last-good-kept" } : { kind: "last-good-not-kept", reason: now }];
}

function healthEvents(before: Pass | undefined, after: Pass): PassEvent[] {
  return before === undefined ? [] : healthBetween(lastObserved(before), lastObserved(after));
}

/** Which servers went up or down from one look at HAProxy to another. */
export function healthBetween(before: Observed, after: Observed): PassEvent[] {
  if (before.kind !== "up" || after.kind !== "up" || before.servers === after.servers) return [];
  const events: PassEvent[] = [];
  for (const [backend, servers] of after.servers) {
    const old = before.servers.get(backend);
    if (old === undefined || old === servers) continue;
    for (const server of servers.values()) {
      const event = healthEvent(backend, old.get(server.name), server);
      if (event !== undefined) events.push(event);
    }
  }
  return events;
}

/** One that is in maintenance is neither up nor down. */
function healthEvent(
  service: string,
  old: ObservedServer | undefined,
  now: ObservedServer,
): PassEvent | undefined {
  if (old === undefined || old.up === now.up || old.maint || now.maint) return undefined;
  const kind = now.up ? "server-up" : "server-down";
  return { kind, service, server: now.name, reason: "as HAProxy shows it" };
}
