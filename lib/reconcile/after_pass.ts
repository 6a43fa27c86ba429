import type { Outcome } from "./apply.ts";
import { backoffDelay } from "../util/backoff.ts";
import { baseDigest, joinConfig, serverAtLine } from "../config/text.ts";
import {
  type NodeState,
  withFailure,
  withRefusals,
  withRefusedBase,
  withReload,
  withVerified,
} from "./state.ts";
import { type Model, type Refusal, serverKey } from "../registry/model.ts";
import type { Observed } from "../plan/observed.ts";
import type { Pace } from "../plan/pace.ts";
import type { Plan } from "../plan/plan.ts";
import type { Alert } from "./ports.ts";
import type { Desired } from "./desired.ts";

/** A pass, as far as the next one has to know of it. */
export interface Experience {
  readonly model: Model;
  readonly desired: Desired;
  readonly observed: Observed;
  readonly plan: Plan;
  readonly pace: Pace;
  readonly outcome: Outcome | undefined;
  readonly workerPid: number | undefined;
  /** When the rendered base may be loaded, if this pass went on with the last good one until then. */
  readonly reloadAt: number | undefined;
}

/** How often removed servers that still hold requests are asked again. */
const PENDING = { minMs: 100, maxMs: 2_000 };

/** While a base is refused, its template is looked at again: one that was mended is another text. */
const LOOK_MS = 3_000;
/** A last good copy that could not be kept is written again after this time. */
const KEEP_AGAIN_MS = 3_000;

/** When the next pass is due although nothing changes. */
export type Again =
  | { readonly kind: "at-once" }
  | { readonly kind: "at"; readonly at: number }
  | { readonly kind: "when-changed" };

/** What a pass teaches the next one: an entry or a base to leave out, a reload to wait for, a time to try again. */
export function learn(
  memory: NodeState,
  pass: Experience,
  clock: { now: number; random: number },
): { memory: NodeState; again: Again } {
  const { outcome, pace } = pass;
  if (outcome === undefined) return putOff(memory, pace);
  const known = pass.plan.kind === "reload" && outcome.kind !== "refused" && outcome.kind !== "vetoed"
    ? withReload(memory, clock.now)
    : memory;
  if (outcome.kind === "reached") return content(known, { pass, outcome, clock });
  if (outcome.kind === "incomplete") {
    return { memory: { ...known, reloadNext: true, known: undefined }, again: { kind: "at-once" } };
  }
  if (outcome.kind === "refused") return refused(known, { pass, alerts: outcome.alerts, clock });
  if (outcome.kind === "vetoed") {
    return withoutBase(known, { pass, reason: outcome.reason, by: "vetoed", clock });
  }
  if (outcome.kind === "reload-failed" && isNewBase(known, pass)) {
    return withoutBase(known, { pass, reason: outcome.reason, by: "refused", clock });
  }
  return tryLater(known, clock);
}

function putOff(memory: NodeState, pace: Pace): { memory: NodeState; again: Again } {
  if (pace.kind === "now" || pace.at === undefined) return { memory, again: { kind: "when-changed" } };
  const reloadCrowds = memory.reloadCrowds || pace.crowded;
  return { memory: { ...memory, reloadCrowds }, again: { kind: "at", at: pace.at } };
}

interface Reached {
  readonly pass: Experience;
  readonly outcome: Extract<Outcome, { kind: "reached" }>;
  readonly clock: { now: number; random: number };
}

function content(memory: NodeState, { pass, outcome, clock }: Reached): { memory: NodeState; again: Again } {
  const { desired, workerPid } = pass;
  const { observed, pending } = outcome;
  if (observed.kind !== "up") {
    return { memory: { ...memory, failures: 0, known: undefined }, again: { kind: "when-changed" } };
  }
  const verified = withVerified(memory, {
    base: desired.config.base,
    isRendered: desired.base === "rendered",
  });
  // After a reload another worker runs, whose id the next look tells.
  const known = pass.plan.kind === "reload" || workerPid === undefined ? undefined : { workerPid, observed };
  const pendingPasses = pending > 0 ? memory.pendingPasses + 1 : 0;
  const next = { ...verified, known, pendingPasses, reachedText: joinConfig(desired.config) };
  const times = [
    ...(pending > 0
      ? [clock.now + backoffDelay({ ...PENDING, attempt: pendingPasses, random: clock.random })]
      : []),
    ...(desired.base === "last-good" && next.refusedBase !== undefined
      ? [Math.min(next.refusedBase.retryAt, clock.now + LOOK_MS)]
      : []),
    ...(outcome.lastGoodError === undefined ? [] : [clock.now + KEEP_AGAIN_MS]),
    ...(pass.reloadAt === undefined ? [] : [pass.reloadAt]),
  ];
  return {
    memory: next,
    again: times.length === 0 ? { kind: "when-changed" } : { kind: "at", at: Math.min(...times) },
  };
}

interface Refused {
  readonly pass: Experience;
  readonly alerts: readonly Alert[];
  readonly clock: { now: number; random: number };
}

function refused(memory: NodeState, { pass, alerts, clock }: Refused): { memory: NodeState; again: Again } {
  const entries = namedEntries(pass, alerts);
  if (entries.size > 0) {
    return { memory: withRefusals(memory, entries, pass.model), again: { kind: "at-once" } };
  }
  const reason = alerts.map(({ message }) => message).join("; ");
  if (isNewBase(memory, pass)) return withoutBase(memory, { pass, reason, by: "refused", clock });
  return tryLater(memory, clock);
}

/** The entries whose server HAProxy names, by line or by name. */
function namedEntries({ model, desired }: Experience, alerts: readonly Alert[]): Map<string, Refusal> {
  const revisions = new Map(
    model.services.flatMap(({ servers }) => servers.map((s) => [serverKey(s), s.revision])),
  );
  const named = alerts.flatMap(({ line, server, message }) => {
    const place = (line === undefined ? undefined : serverAtLine(desired.config, line)) ?? server;
    const key = place && serverKey({ service: place.backend, id: place.server });
    const revision = key === undefined ? undefined : revisions.get(key);
    if (key === undefined || revision === undefined) return [];
    return [[key, { revision, reason: `HAProxy refuses it: ${message}` }] as const];
  });
  return new Map(named);
}

function isNewBase({ goodBase }: NodeState, { desired }: Experience): boolean {
  return desired.base === "rendered" && desired.config.base !== goodBase;
}

interface BaseProblem {
  readonly pass: Experience;
  readonly reason: string;
  readonly by: "refused" | "vetoed";
  readonly clock: { now: number; random: number };
}

function withoutBase(
  memory: NodeState,
  { pass, reason, by, clock }: BaseProblem,
): { memory: NodeState; again: Again } {
  const next = withRefusedBase(memory, {
    digest: baseDigest(pass.desired.config.base),
    reason,
    by,
    ...clock,
  });
  if (next.goodBase !== undefined) return { memory: next, again: { kind: "at-once" } };
  return { memory: next, again: { kind: "at", at: next.refusedBase?.retryAt ?? clock.now } };
}

function tryLater(
  memory: NodeState,
  clock: { now: number; random: number },
): { memory: NodeState; again: Again } {
  const failed = withFailure(memory, clock);
  return { memory: failed.memory, again: { kind: "at", at: failed.retryAt } };
}
