import type { GuardVerdict } from "../guard/guard.ts";
import type { Observed } from "../plan/observed.ts";
import type { Pace } from "../plan/pace.ts";
import type { Plan } from "../plan/plan.ts";
import type { Model } from "../registry/model.ts";
import type { Outcome } from "./apply.ts";
import type { Desired } from "./desired.ts";
import type { Observation } from "./observe.ts";
import type { NodeState } from "./state.ts";

/** What a pass does, and when. */
export interface Decision {
  readonly desired: Desired;
  readonly plan: Plan;
  readonly pace: Pace;
  /** When the rendered base may be loaded, if the pass uses the last good one until then. */
  readonly reloadAt: number | undefined;
}

/** When the next pass is due although nothing changes. `at`: monotonic milliseconds. */
export type Requeue =
  | { readonly kind: "at-once" }
  | { readonly kind: "at"; readonly at: number }
  | { readonly kind: "when-changed" };

/**
 * One pass, as plain data: what it read, what it decided, what came of it, and what it leaves to the next. The edge logs
 * it, counts it and shows it.
 */
export interface Pass {
  /** What the registry asks for, with the servers that the guard holds. */
  readonly model: Model;
  readonly guard: GuardVerdict;
  readonly observed: Observation;
  readonly decision: Decision;
  /** Undefined when the plan was put off. */
  readonly outcome: Outcome | undefined;
  /** How many steps undo what others changed on HAProxy's socket. */
  readonly drift: number;
  /** What the next pass starts from. */
  readonly state: NodeState;
  readonly requeue: Requeue;
  /** Monotonic milliseconds. */
  readonly endedAt: number;
  readonly tookMs: number;
}

/** What HAProxy was last seen to run. */
export function lastObserved({ outcome, observed }: Pass): Observed {
  return outcome?.kind === "reached" ? outcome.observed : observed.running;
}
