import { missingBackends } from "../config/text.ts";
import type { HeldServer } from "../guard/guard.ts";
import type { Observed, ObservedServer } from "../plan/observed.ts";
import { countLines, describePlan, type Plan } from "../plan/plan.ts";
import type { ReloadCause } from "../plan/reload.ts";
import { isAskedAgain, type Step } from "../plan/step.ts";
import type { Rejection } from "../registry/entry.ts";
import { countServers, serverKey } from "../registry/model.ts";
import { failureOf, type Outcome } from "./apply.ts";
import { lastObserved, type Pass } from "./pass.ts";

/** A pass in numbers and words. */
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

/** Something that a pass changed or found changed. Text in it comes from outside and is not escaped. */
export type PassEvent =
  | Of<"plan-put-off", PassSummary & { reason: string }>
  /** `goesOn`: all steps only ask again about removed servers that hold requests. */
  | Of<"applied", PassSummary & { goesOn: boolean }>
  /** `startsOver`: the next pass leaves out what failed, at once. */
  | Of<"not-applied", PassSummary & { outcome: Outcome["kind"]; reason: string; startsOver: boolean }>
  | Of<"reload", { cause: ReloadCause; reason: string; result: "loaded" | "failed" | "vetoed" }>
  | Of<"step", Place & { action: Step["kind"]; reason: string }>
  | Of<"rejected" | "rejection-gone", { service: string; key: string; reason: string; revision: number }>
  | Of<"held", Place & { goesInMs: number }>
  | Of<"released", Place & { reason: string }>
  | Of<"server-up" | "server-down", Place & { reason: string }>
  | Of<"base-refused", { reason: string; attempts: number; pendingBackends: readonly string[] }>
  | Of<"base-accepted", unknown>
  | Of<"last-good-not-kept", { reason: string }>
  | Of<"last-good-kept", unknown>;

type Of<K extends string, T> = { readonly kind: K } & Readonly<T>;

interface Place {
  readonly service: string;
  readonly server: string;
}

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
  const reason = failureOf(outcome) ?? "";
  return { kind: "not-applied", outcome: outcome.kind, reason, startsOver, ...summary };
}

function isOnlyAskedAgain(plan: Plan): boolean {
  return plan.kind === "runtime" && plan.steps.every(isAskedAgain);
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
  const fresh = plan.steps.filter((step) => !isAskedAgain(step));
  return fresh.map(({ kind, backend: service, server, reason }) => {
    return { kind: "step", service, server, action: kind, reason };
  });
}

function reloadEvents(plan: Plan, outcome: Outcome): PassEvent[] {
  if (plan.kind !== "reload" || outcome.kind === "refused") return [];
  const { cause, reason } = plan;
  const result = outcome.kind === "reached" ? "loaded" : outcome.kind === "vetoed" ? "vetoed" : "failed";
  return [{ kind: "reload", cause, reason, result }];
}

function rejectionEvents(before: Pass | undefined, after: Pass): PassEvent[] {
  const [old, now] = [rejectionsOf(before), rejectionsOf(after)];
  const fresh = [...now.values()].filter((rejection) => !isSame(old.get(rejection.key), rejection));
  const gone = [...old.values()].filter(({ key }) => !now.has(key));
  return [
    ...fresh.map((rejection) => rejectionEvent("rejected", rejection)),
    ...gone.map((rejection) => rejectionEvent("rejection-gone", rejection)),
  ];
}

function rejectionsOf(pass: Pass | undefined): ReadonlyMap<string, Rejection> {
  return new Map(pass?.model.rejections.map((rejection) => [rejection.key, rejection]));
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
  const [old, now] = [heldOf(before), heldOf(after)];
  const reasons = new Map(after.guard.released.map(({ server, reason }) => [serverKey(server), reason]));
  const fresh = [...now].filter(([key]) => !old.has(key));
  const gone = [...old].filter(([key]) => !now.has(key));
  return [
    ...fresh.map(([, { server, until }]): PassEvent => {
      const goesInMs = Math.max(0, Math.round(until - after.endedAt));
      return { kind: "held", service: server.service, server: server.id, goesInMs };
    }),
    ...gone.map(([key, { server }]): PassEvent => {
      const reason = reasons.get(key) ?? "its entry is back";
      return { kind: "released", service: server.service, server: server.id, reason };
    }),
  ];
}

function heldOf(pass: Pass | undefined): ReadonlyMap<string, HeldServer> {
  return new Map(pass?.guard.held.map((held) => [serverKey(held.server), held]));
}

function baseEvents(before: Pass | undefined, after: Pass): PassEvent[] {
  const [old, now] = [before?.state.refusedBase, after.state.refusedBase];
  if (now === undefined) return old === undefined ? [] : [{ kind: "base-accepted" }];
  if (old?.digest === now.digest && old.attempts === now.attempts) return [];
  const pendingBackends = pendingBackendsOf(after);
  return [{ kind: "base-refused", reason: now.reason, attempts: now.attempts, pendingBackends }];
}

/** The pass in which a base is refused still has the rendered one; the next pass has the last good one. */
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
  if (before.kind !== "up" || after.kind !== "up") return [];
  // Most looks are at few backends, and the others are the same objects.
  const changed = [...after.servers].filter(([backend, servers]) => before.servers.get(backend) !== servers);
  return changed.flatMap(([backend, servers]) => {
    const old = before.servers.get(backend);
    return [...servers.values()].flatMap((server) => healthEvent(backend, old?.get(server.name), server));
  });
}

/** A server in maintenance is neither up nor down. */
function healthEvent(service: string, old: ObservedServer | undefined, now: ObservedServer): PassEvent[] {
  if (old === undefined || old.up === now.up || old.maint || now.maint) return [];
  const kind = now.up ? "server-up" : "server-down";
  return [{ kind, service, server: now.name, reason: "as HAProxy shows it" }];
}
