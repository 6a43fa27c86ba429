import type { ConfigText } from "../config/text.ts";
import { applyGuard, type GuardPort } from "../guard/apply_guard.ts";
import type { Networks } from "../registry/allowed_addresses.ts";
import { buildModel, type Model, type Prefixes } from "../registry/model.ts";
import type { Snapshot } from "../registry/snapshot.ts";
import { afterPass, guardAfter } from "./after_pass.ts";
import { apply, type Outcome } from "./apply.ts";
import { decide, driftOf, planInput } from "./decide.ts";
import { desire } from "./desired.ts";
import { observe } from "./observe.ts";
import type { Decision, Pass } from "./pass.ts";
import type { Admission, HaproxyPort } from "./ports.ts";
import type { NodeState } from "./state.ts";

/** What a pass works with. Times are monotonic milliseconds. */
export interface ReconcilePorts {
  readonly haproxy: HaproxyPort;
  readonly admission: Admission;
  readonly guard: GuardPort;
  readonly prefixes: Prefixes;
  /** The addresses that may be registered. */
  readonly networks: Networks;
  /** Renders a model; throws a ControllerError when the template fails. */
  readonly render: (model: Model) => Promise<ConfigText>;
  /** `reload`: never change anything at run time. */
  readonly mode: "auto" | "reload";
  readonly reloadIntervalMs: number;
  readonly now: () => number;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly wait: (ms: number) => Promise<void>;
}

/** How a pass starts. */
export interface PassStart {
  /** What the last pass left. */
  readonly state: NodeState;
  /** No change came within the quiet window. */
  readonly quiet: boolean;
  /** Ask HAProxy for all that it runs, even if it is known from the last pass. */
  readonly full: boolean;
}

/**
 * One pass, from whole state to whole state: looks at what HAProxy runs, builds the model of the snapshot, holds what may
 * not leave yet, chooses the text that this asks for, plans the difference, and applies it or puts it off.
 *
 * @throws {ControllerError} when HAProxy cannot be asked, or the template fails and there is no good base to go on with
 */
export async function reconcile(snapshot: Snapshot, start: PassStart, ports: ReconcilePorts): Promise<Pass> {
  const { state, quiet, full } = start;
  const { mode, reloadIntervalMs, networks, prefixes } = ports;
  const startedAt = ports.now();
  const observed = await observe(ports.haproxy, state, { full });
  const { refusals } = state;
  const registry = buildModel(snapshot, prefixes, { networks, refusals });
  const { running, file } = observed;
  const { model, guard } = await applyGuard(registry, { state: state.guard, refusals, running, file }, ports);
  const texts = await desire(model, { observed, state }, ports);
  const now = ports.now();
  const decision = decide(texts, { model, observed, state, quiet, mode, reloadIntervalMs, now });
  const outcome = await carryOut(decision, { model, guard, observed, state }, ports);
  const endedAt = ports.now();
  const next = afterPass({ model, guard, observed, decision, outcome }, state, {
    now: endedAt,
    random: ports.random(),
    guardTimeMs: guardTimeMs(ports.guard),
  });
  await ports.guard.save(next.state.guard);
  return {
    model,
    guard,
    observed,
    decision,
    outcome,
    drift: driftOf(decision, state),
    state: next.state,
    requeue: next.requeue,
    endedAt,
    tookMs: endedAt - startedAt,
  };
}

/** Applies a plan that is due. Who leaves is on record before that, so that a crash in between does not begin a new window. */
async function carryOut(
  decision: Decision,
  { model, guard, observed, state }: Pick<Pass, "model" | "guard" | "observed" | "state">,
  ports: ReconcilePorts,
): Promise<Outcome | undefined> {
  if (decision.pace.kind !== "now") return undefined;
  const { guard: port, mode } = ports;
  if (guard.released.length > 0) {
    await port.save(guardAfter({ model, guard }, { inFile: true, timeMs: guardTimeMs(port) }));
  }
  const input = planInput(decision.desired, { model, observed, state, mode });
  return await apply(decision.plan, { input, model, runningBase: observed.baseText }, ports);
}

function guardTimeMs({ limits }: GuardPort): number {
  return limits?.timeMs ?? 0;
}
