import { type ConfigText, joinConfig } from "../config/text.ts";
import { applyGuard, type GuardPort, withNextFile } from "../guard/apply_guard.ts";
import { afterGuard, type GuardState, type GuardVerdict } from "../guard/guard.ts";
import type { Networks } from "../registry/allowed_addresses.ts";
import { buildModel, type Model, type Prefixes } from "../registry/model.ts";
import type { Snapshot } from "../registry/snapshot.ts";
import { afterPass } from "./after_pass.ts";
import { apply, type Outcome } from "./apply.ts";
import { decide, driftOf, planInput } from "./decide.ts";
import { desire, servicesInFile } from "./desired.ts";
import { observe } from "./observe.ts";
import type { Decision, Pass } from "./pass.ts";
import type { Admission, HaproxyPort } from "./ports.ts";
import type { NodeState } from "./state.ts";

/** The ports and settings of a pass. Times are monotonic milliseconds. */
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
 * One pass, from whole state to whole state: it looks at what HAProxy runs, builds the model of the snapshot, holds
 * servers that may not leave yet, chooses the text to run, plans the difference, and applies the plan or puts it off.
 *
 * @throws {ControllerError} when HAProxy cannot be asked, or the template fails and no good base is known
 */
export async function reconcile(snapshot: Snapshot, start: PassStart, ports: ReconcilePorts): Promise<Pass> {
  const { state, quiet, full } = start;
  const { mode, reloadIntervalMs, networks, prefixes } = ports;
  const startedAt = ports.now();
  const observed = await observe(ports.haproxy, state, { full });
  const { refusals } = state;
  const registry = buildModel(snapshot, prefixes, { networks, refusals });
  const { running, file } = observed;
  const basis = { state: state.guard, refusals, running, file };
  const { model, guard: verdict } = await applyGuard(registry, basis, ports);
  const texts = await desire(model, { observed, state, inFile: verdict.known.inFile }, ports);
  const now = ports.now();
  const decision = decide(texts, { model, observed, state, quiet, mode, reloadIntervalMs, now });
  const guard = withPlannedFile(verdict, { model, observed, decision, state });
  const outcome = await carryOut(decision, { model, guard, observed, state }, ports);
  const endedAt = ports.now();
  const next = afterPass({ model, guard, observed, decision, outcome }, state, {
    now: endedAt,
    random: ports.random(),
    guardTimeMs: guardTimeMs(ports.guard),
  });
  await putOnRecord(next.state.guard, ports.guard);
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

/** Applies a plan that is due. The guard's record comes before that, so that it is right after a crash at any point. */
async function carryOut(
  decision: Decision,
  { model, guard, observed, state }: Pick<Pass, "model" | "guard" | "observed" | "state">,
  ports: ReconcilePorts,
): Promise<Outcome | undefined> {
  if (decision.pace.kind !== "now") return undefined;
  const inFile = servicesInFile(model, decision.desired);
  const after = afterGuard({ model, guard }, { inFile, timeMs: guardTimeMs(ports.guard) });
  await putOnRecord(after, ports.guard);
  const input = planInput(decision.desired, { model, observed, state, mode: ports.mode });
  const { haproxy, admission, wait } = ports;
  const runningBase = observed.baseText;
  return await apply(decision.plan, { input, model, runningBase, haproxy, admission, wait });
}

/** The verdict with the file that the pass is about to write, if it is: a restart may find it. */
function withPlannedFile(
  verdict: GuardVerdict,
  { model, observed, decision, state }: Pick<Pass, "model" | "observed" | "decision" | "state">,
): GuardVerdict {
  if (decision.pace.kind !== "now") return verdict;
  return withNextFile(verdict, {
    text: joinConfig(decision.desired.config),
    services: servicesInFile(model, decision.desired),
    onDisk: observed.file,
    isGood: observed.file !== undefined && observed.file === state.reachedText &&
      state.lastGoodError === undefined,
  });
}

/** The record of an earlier run is read before it is replaced. */
async function putOnRecord(state: GuardState, port: GuardPort): Promise<void> {
  if (state.isRead) await port.save(state);
}

function guardTimeMs({ limits }: GuardPort): number {
  return limits?.timeMs ?? 0;
}
