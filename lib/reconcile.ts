import { apply, type Outcome } from "./apply.ts";
import { baseDigest, type ConfigText, splitConfig } from "./config_text.ts";
import { ControllerError, messageOf } from "./errors.ts";
import { type Again, learn } from "./learn.ts";
import { type Memory, type RefusedBase, withRefusedBase } from "./memory.ts";
import { buildModel, type Model, type Prefixes, serverKey } from "./model.ts";
import type { Observed } from "./observed.ts";
import { type Pace, pace } from "./pace.ts";
import { type Plan, plan } from "./plan.ts";
import type { HaproxyPort } from "./ports.ts";
import type { Snapshot } from "./snapshot.ts";
import { chooseWanted, type Wanted, wantedWithoutTemplate } from "./wanted.ts";

/** What a pass works with. Times are monotonic milliseconds. */
export interface ReconcilePorts {
  readonly haproxy: HaproxyPort;
  readonly prefixes: Prefixes;
  /** Renders a model; throws a ControllerError when the template fails. */
  readonly render: (model: Model) => Promise<ConfigText>;
  readonly reloadIntervalMs: number;
  readonly now: () => number;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly wait: (ms: number) => Promise<void>;
}

/** What a pass did, as a value: the edge logs it, counts it and shows it. */
export interface PassReport {
  readonly model: Model;
  readonly wanted: Wanted;
  readonly observed: Observed;
  readonly plan: Plan;
  readonly pace: Pace;
  /** Undefined when the plan was put off. */
  readonly outcome: Outcome | undefined;
  readonly again: Again;
  readonly refusedBase: RefusedBase | undefined;
  readonly oldWorkers: number;
  readonly tookMs: number;
}

/** How often one pass may leave out what HAProxy refused and try once more. */
const MAX_ROUNDS = 10;

/**
 * One pass, from whole state to whole state:
 *
 * 1. builds the model of the snapshot and chooses the text that it asks for
 * 2. looks at what HAProxy runs and plans the difference
 * 3. applies the plan, or puts it off
 * 4. starts over without what HAProxy refused
 */
export async function reconcile(
  snapshot: Snapshot,
  { memory, quiet }: { memory: Memory; quiet: boolean },
  ports: ReconcilePorts,
): Promise<{ memory: Memory; report: PassReport }> {
  const startedAt = ports.now();
  for (let round = 1;; round++) {
    const node = await lookAt(ports.haproxy);
    const known = withRunningBase(memory, node);
    const model = buildModel(snapshot, ports.prefixes, known.refusals);
    const { wanted, memory: asked } = await want(model, known, ports);
    const input = {
      wanted: wanted.config,
      observed: node.observed,
      file: node.file,
      revisionOf: revisionsOf(model),
    };
    const todo = plan(input);
    const when = pace({ ...node, ...ports, plan: todo, quiet, now: ports.now(), history: asked.reloads });
    const outcome = when.kind === "now" ? await apply(todo, { ...ports, input }) : undefined;
    const pass = { model, wanted, observed: node.observed, plan: todo, pace: when, outcome };
    const lesson = learn(asked, pass, { now: ports.now(), random: ports.random() });
    memory = lesson.memory;
    if (lesson.again.kind === "at-once" && round < MAX_ROUNDS) continue;
    const { refusedBase } = memory;
    const { oldWorkers } = node;
    return {
      memory,
      report: { ...pass, again: lesson.again, refusedBase, oldWorkers, tookMs: ports.now() - startedAt },
    };
  }
}

interface NodeView {
  readonly observed: Observed;
  readonly file: string | undefined;
  readonly oldWorkers: number;
}

async function lookAt(haproxy: HaproxyPort): Promise<NodeView> {
  const [observed, file, oldWorkers] = await Promise.all([
    haproxy.observe(),
    haproxy.readConfig(),
    haproxy.oldWorkers(),
  ]);
  return { observed, file, oldWorkers };
}

/** After a start of the controller, the base that HAProxy runs is known from the file, if the file was loaded. */
function withRunningBase(memory: Memory, { observed, file }: NodeView): Memory {
  if (memory.goodBase !== undefined || observed.kind !== "up" || file === undefined) return memory;
  const { base } = splitConfig(file);
  return baseDigest(base) === observed.base ? { ...memory, goodBase: base } : memory;
}

async function want(
  model: Model,
  memory: Memory,
  ports: ReconcilePorts,
): Promise<{ wanted: Wanted; memory: Memory }> {
  try {
    return { wanted: chooseWanted(await ports.render(model), memory, ports.now()), memory };
  } catch (error) {
    if (!(error instanceof ControllerError) || memory.goodBase === undefined) throw error;
    const refused = { digest: "", reason: messageOf(error), now: ports.now(), random: ports.random() };
    return {
      wanted: wantedWithoutTemplate(model, memory.goodBase),
      memory: withRefusedBase(memory, refused),
    };
  }
}

function revisionsOf(model: Model): (backend: string, server: string) => bigint | undefined {
  let revisions: Map<string, bigint> | undefined;
  return (service, id) => {
    revisions ??= new Map(
      model.services.flatMap(({ servers }) => servers.map((s) => [serverKey(s), s.revision])),
    );
    return revisions.get(serverKey({ service, id }));
  };
}
