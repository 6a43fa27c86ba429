import { apply, type Outcome } from "./apply.ts";
import { baseDigest, type ConfigText, joinConfig, splitConfig } from "../config/text.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import { type Again, learn } from "./after_pass.ts";
import { type NodeState, type RefusedBase, withRefusedBase } from "./state.ts";
import type { HeldServer, Leave } from "../guard/guard.ts";
import { type GuardPort, type Hold, hold } from "../guard/apply_guard.ts";
import { memoByObject } from "../util/memo.ts";
import { buildModel, type Model, type Prefixes, type Service } from "../registry/model.ts";
import type { Networks } from "../registry/allowed_addresses.ts";
import type { Observed, Processes } from "../plan/observed.ts";
import { type Pace, pace } from "../plan/pace.ts";
import { type Plan, plan, type PlanInput } from "../plan/plan.ts";
import type { Admission, HaproxyPort } from "./ports.ts";
import type { Snapshot } from "../registry/snapshot.ts";
import { chooseDesired, type Desired, desiredMeanwhile, desiredWithoutTemplate } from "./desired.ts";

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
  readonly memory: NodeState;
  /** No change came within the quiet window. */
  readonly quiet: boolean;
  /** Ask HAProxy for all that it runs, even if it is known from the last pass. */
  readonly full: boolean;
}

/** What a pass did, as a value: the edge logs it, counts it and shows it. */
export interface PassReport {
  /** What the registry asks for, and what is held besides. */
  readonly model: Model;
  /** Servers that left the registry and are served on. */
  readonly held: readonly HeldServer[];
  /** Servers that left the registry and are no longer to be served. */
  readonly leaving: readonly Leave[];
  readonly desired: Desired;
  readonly observed: Observed;
  readonly plan: Plan;
  readonly pace: Pace;
  /** Undefined when the plan was put off. */
  readonly outcome: Outcome | undefined;
  readonly again: Again;
  readonly refusedBase: RefusedBase | undefined;
  /** The base that HAProxy ran when the pass began, if its text is known. */
  readonly runningBase: string | undefined;
  readonly oldWorkers: number;
  /** Steps that undo what somebody changed on HAProxy's socket. */
  readonly drift: number;
  /** How earlier rounds of the pass ended, which made it start over. */
  readonly setbacks: readonly Outcome[];
  readonly endedAt: number;
  readonly tookMs: number;
}

/** How often one pass may leave out what HAProxy refused and try once more. */
const MAX_ROUNDS = 10;

/**
 * One pass, from whole state to whole state:
 *
 * 1. looks at what HAProxy runs
 * 2. builds the model of the snapshot, holds what may not leave yet, and chooses the text that this asks for
 * 3. plans the difference, and applies it or puts it off
 * 4. starts over without what HAProxy refused
 */
export async function reconcile(
  snapshot: Snapshot,
  start: PassStart,
  ports: ReconcilePorts,
): Promise<{ memory: NodeState; report: PassReport }> {
  const startedAt = ports.now();
  const setbacks: Outcome[] = [];
  let memory = start.memory;
  for (let round = 1;; round++) {
    const node = await lookAt(ports.haproxy, memory, start.full);
    const registry = buildModel(snapshot, ports.prefixes, {
      networks: ports.networks,
      refusals: memory.refusals,
    });
    const guarded = await hold(registry, {
      ...ports,
      ...node,
      refusals: memory.refusals,
      memory: memory.guard,
    });
    const { model, held, leaving } = guarded;
    const asked = await want(model, { memory: await withView(memory, node, ports.haproxy), node }, ports);
    const choice = choose(asked, { node, model, quiet: start.quiet }, ports);
    const drift = driftOf(choice, memory);
    const outcome = choice.pace.kind === "now"
      ? await leave(guarded, ports.guard, () => apply(choice.plan, { ...ports, ...choice }))
      : undefined;
    const pass = {
      ...choice,
      model,
      held,
      leaving,
      observed: node.observed,
      workerPid: node.processes.workerPid,
      outcome,
    };
    const lesson = learn(asked.memory, pass, { now: ports.now(), random: ports.random() });
    memory = { ...lesson.memory, guard: guarded.remember({ served: isWritten(outcome) }) };
    await ports.guard.save(memory.guard);
    if (lesson.again.kind === "at-once" && round < MAX_ROUNDS) {
      if (outcome !== undefined) setbacks.push(outcome);
      continue;
    }
    const { refusedBase } = memory;
    const { oldWorkers } = node.processes;
    const endedAt = ports.now();
    const tookMs = endedAt - startedAt;
    return {
      memory,
      report: {
        ...pass,
        again: sooner(lesson.again, guarded.lookAt),
        refusedBase,
        oldWorkers,
        drift,
        setbacks,
        endedAt,
        tookMs,
      },
    };
  }
}

/** Who leaves is on record before it does, so that a crash in between does not begin a new window. */
async function leave(guarded: Hold, port: GuardPort, apply: () => Promise<Outcome>): Promise<Outcome> {
  if (guarded.leaving.length > 0) await port.save(guarded.remember({ served: true }));
  return await apply();
}

/** Whether the file holds what the pass wanted. */
function isWritten(outcome: Outcome | undefined): boolean {
  return outcome?.kind === "reached" && outcome.observed.kind !== "starting";
}

function sooner(again: Again, at: number | undefined): Again {
  if (at === undefined || again.kind === "at-once") return again;
  return { kind: "at", at: again.kind === "at" ? Math.min(again.at, at) : at };
}

interface NodeView {
  readonly processes: Processes;
  readonly observed: Observed;
  readonly file: string | undefined;
}

/** Asking for everything costs HAProxy time at thousands of servers, so it is done only when something may be unknown. */
async function lookAt(haproxy: HaproxyPort, { known }: NodeState, full: boolean): Promise<NodeView> {
  const [processes, file] = await Promise.all([haproxy.processes(), haproxy.readConfig()]);
  const isKnown = known?.observed.kind === "up" && known.workerPid === processes.workerPid &&
    known.observed.base === processes.base;
  return { processes, file, observed: isKnown && !full ? known.observed : await haproxy.observe() };
}

/** Remembers what was seen, also if the plan is put off: the pass that makes it must not know less. */
function withView(memory: NodeState, node: NodeView, haproxy: HaproxyPort): Promise<NodeState> {
  const { workerPid } = node.processes;
  const known = node.observed.kind === "up" && workerPid !== undefined
    ? { workerPid, observed: node.observed }
    : undefined;
  return withRunningBase({ ...memory, known }, node, haproxy);
}

/** After a start of the controller, the base that HAProxy runs is known from the file, if that was loaded, or from the last good one. */
async function withRunningBase(
  memory: NodeState,
  { observed, file }: NodeView,
  haproxy: HaproxyPort,
): Promise<NodeState> {
  if (memory.goodBase !== undefined || observed.kind !== "up") return memory;
  for (const text of [file, await haproxy.readLastGood()]) {
    const base = text === undefined ? undefined : splitConfig(text).base;
    if (base !== undefined && baseDigest(base) === observed.base) return { ...memory, goodBase: base };
  }
  return memory;
}

interface Asked {
  readonly desired: Desired;
  /** The rendered text, unless the template failed. */
  readonly rendered: ConfigText | undefined;
  readonly memory: NodeState;
}

async function want(
  model: Model,
  { memory, node }: { memory: NodeState; node: NodeView },
  ports: ReconcilePorts,
): Promise<Asked> {
  try {
    const rendered = await ports.render(model);
    return { desired: chooseDesired(rendered, memory, ports.now()), rendered, memory };
  } catch (error) {
    if (!(error instanceof ControllerError) || memory.goodBase === undefined) throw error;
    const { servers } = splitConfig(memory.reachedText ?? node.file ?? "");
    const services = memory.guard.served;
    const desired = desiredWithoutTemplate(model, { base: memory.goodBase, servers, services });
    return { desired, rendered: undefined, memory: withFailedTemplate(memory, messageOf(error), ports) };
  }
}

/** A template has no digest. It is rendered in every pass; only one that comes after the back-off counts as an attempt. */
function withFailedTemplate(memory: NodeState, reason: string, ports: ReconcilePorts): NodeState {
  const { refusedBase } = memory;
  const now = ports.now();
  const isKnown = refusedBase?.digest === "" && refusedBase.reason === reason && now < refusedBase.retryAt;
  if (isKnown) return memory;
  return withRefusedBase(memory, { digest: "", reason, by: "refused", now, random: ports.random() });
}

interface Choice {
  readonly desired: Desired;
  readonly plan: Plan;
  readonly pace: Pace;
  readonly input: PlanInput;
  readonly runningBase: string | undefined;
  readonly pathOf: (backend: string, server: string) => string | undefined;
  readonly reloadAt: number | undefined;
}

/** Plans what is desired; while a new base waits for its reload, endpoints follow on the last good one. */
function choose(
  { desired, rendered, memory }: Asked,
  { node, model, quiet }: { node: NodeView; model: Model; quiet: boolean },
  ports: ReconcilePorts,
): Choice {
  const lookup = serverLookup(model);
  const planFor = (desired: Desired) => {
    const mode = memory.reloadNext && ports.mode === "auto" ? "reload-once" : ports.mode;
    const input = {
      desired: desired.config,
      observed: node.observed,
      file: node.file,
      revisionOf: lookup.revisionOf,
      mode,
    } as const;
    const todo = plan(input);
    const { oldWorkers } = node.processes;
    const when = pace({ ...ports, plan: todo, quiet, oldWorkers, now: ports.now(), history: memory.reloads });
    return {
      desired,
      input,
      plan: todo,
      pace: when,
      runningBase: memory.goodBase,
      pathOf: lookup.pathOf,
      reloadAt: undefined,
    };
  };
  const first = planFor(desired);
  const { goodBase } = memory;
  const waits = first.pace.kind === "later" && first.pace.at !== undefined ? first.pace.at : undefined;
  if (
    waits === undefined || rendered === undefined || goodBase === undefined ||
    goodBase === desired.config.base
  ) return first;
  const meanwhile = planFor(desiredMeanwhile(rendered, goodBase));
  return meanwhile.plan.kind === "runtime" ? { ...meanwhile, reloadAt: waits } : first;
}

/** Steps to a text that was reached already: somebody else changed what HAProxy runs. Removals that go on are no drift. */
function driftOf({ plan, input }: Choice, memory: NodeState): number {
  if (plan.kind !== "runtime" && plan.kind !== "reload") return 0;
  if (memory.reachedText !== joinConfig(input.desired)) return 0;
  return plan.steps.filter((step) => !(step.kind === "remove" && (step.isDraining || step.isMaint))).length;
}

/** Few servers are asked for in a pass, so only their services are indexed. */
function serverLookup({ services }: Model) {
  const find = (name: string, id: string) => {
    const service = services.find((service) => service.name === name);
    return service && serversById(service).get(id);
  };
  return {
    revisionOf: (service: string, id: string) => find(service, id)?.revision,
    pathOf: (service: string, id: string) => {
      const check = find(service, id)?.check;
      return check?.kind === "on" ? check.path : undefined;
    },
  };
}

const serversById = memoByObject(({ servers }: Service) =>
  new Map(servers.map((server) => [server.id, server]))
);
