import { joinConfig } from "../config/text.ts";
import { type Pace, pace } from "../plan/pace.ts";
import { type Plan, plan, type PlanInput } from "../plan/plan.ts";
import { isAskedAgain } from "../plan/step.ts";
import { findServer, type Model } from "../registry/model.ts";
import type { Desired, DesiredTexts } from "./desired.ts";
import type { Observation } from "./observe.ts";
import type { Decision } from "./pass.ts";
import type { NodeState } from "./state.ts";

/** The input of a decision besides the desired texts. */
export interface DecisionInput {
  readonly model: Model;
  readonly observed: Observation;
  readonly state: NodeState;
  /** No change came within the quiet window. */
  readonly quiet: boolean;
  /** `reload`: never change anything at run time. */
  readonly mode: "auto" | "reload";
  readonly reloadIntervalMs: number;
  /** Monotonic milliseconds. */
  readonly now: number;
}

/** Plans the desired text. While a new base waits for its reload, servers follow on the last good one. */
export function decide({ first, meanwhile }: DesiredTexts, input: DecisionInput): Decision {
  const whole = { desired: first, ...planned(first, input), reloadAt: undefined };
  const waitsUntil = whole.pace.kind === "later" ? whole.pace.at : undefined;
  if (waitsUntil === undefined || meanwhile === undefined) return whole;
  const part = { desired: meanwhile, ...planned(meanwhile, input), reloadAt: waitsUntil };
  return part.plan.kind === "runtime" ? part : whole;
}

/** The input of a plan in this pass. */
export function planInput(
  desired: Desired,
  { model, observed, state, mode }: Pick<DecisionInput, "model" | "observed" | "state" | "mode">,
): PlanInput {
  return {
    desired: desired.config,
    observed: observed.running,
    file: observed.file,
    revisionOf: (backend, server) => findServer(model, backend, server)?.revision,
    mode: state.reloadNext && mode === "auto" ? "reload-once" : mode,
  };
}

/** How many steps lead to a text that was reached before: another client changed HAProxy. Removals in progress do not count. */
export function driftOf({ plan, desired }: Decision, { reachedText }: NodeState): number {
  if (plan.kind !== "runtime" && plan.kind !== "reload") return 0;
  if (reachedText !== joinConfig(desired.config)) return 0;
  return plan.steps.filter((step) => !isAskedAgain(step)).length;
}

function planned(desired: Desired, input: DecisionInput): { plan: Plan; pace: Pace } {
  const todo = plan(planInput(desired, input));
  const { quiet, now, reloadIntervalMs, state, observed } = input;
  const { oldWorkers } = observed.processes;
  const when = pace({ plan: todo, quiet, now, reloadIntervalMs, history: state.reloads, oldWorkers });
  return { plan: todo, pace: when };
}
