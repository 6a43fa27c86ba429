import { type EtcdPlace, startEtcdCluster } from "../../tools/local/etcd_cluster.ts";
import { unlessAborted } from "../../tools/local/wait.ts";
import { makeNamespace, type Namespace } from "./namespace.ts";
import type { Requirement } from "./requirements.ts";
import { Stage, type StageReport } from "./stage.ts";

/** One fault: what it is set up with, what breaks, and what must be so afterwards. */
export interface Scenario {
  /** As its file is called, such as `etcd_leader_killed`. */
  readonly name: string;
  /** What breaks, in one line; a row of the table in docs/reliability.md. */
  readonly fault: string;
  /** `short` ends within 20 s and is part of `deno task test`; `deno task chaos` runs all. */
  readonly takes: "short" | "long";
  /** Rights that not every machine grants; without them the scenario is skipped by name. */
  readonly needs?: readonly Requirement[];
  readonly etcd: 1 | 3;
  /** Further flags of every etcd member. */
  readonly etcdArgs?: readonly string[];
  /** The last member of etcd lives in `stage.namespace`; wants `netns`. */
  readonly namespaced?: true;
  /** The nodes reach etcd through `stage.cables`, which can be cut; the servers' registrations do not. */
  readonly cuttable?: true;
  /** How many nodes; one if not given. */
  readonly nodes?: number;
  /** Further arguments of `run` on every node. */
  readonly nodeArgs?: readonly string[];
  /** How many servers are registered from the start; two if not given. */
  readonly origins?: number;
  /** Registrations are kept under leases of this many seconds; without it they are plain keys. */
  readonly leaseSeconds?: number;
  /** The scenario calls `stage.startNodes()` and `stage.startLoad()` itself. */
  readonly ownStart?: true;
  /** Why requests may fail in this one; without it none may. */
  readonly mayFail?: string;
  run(stage: Stage): Promise<void>;
}

/** The result of one run of a scenario. */
export interface ScenarioReport extends StageReport {
  readonly scenario: Scenario;
  readonly tookMs: number;
}

export interface PlayOptions {
  /** Called with what happens. */
  readonly onNote?: (text: string) => void;
  /** How long clients wait between an answer and the next request, in milliseconds; 0 if not given. */
  readonly pauseMs?: number;
  /** What passes between two looks at a node, in milliseconds: how exact the times of the report are. */
  readonly lookEveryMs?: number;
  /** Aborting it ends the scenario where it is, and everything is taken down. */
  readonly signal?: AbortSignal;
}

/**
 * Plays a scenario on real etcd, HAProxy and clients, which wait `pauseMs` between an answer and the next request.
 *
 * @throws when the node did not do what the scenario waits for, or when requests failed that must not
 */
export async function playScenario(
  scenario: Scenario,
  { onNote = () => {}, pauseMs = 0, lookEveryMs = 20, signal }: PlayOptions = {},
): Promise<ScenarioReport> {
  const startedAt = performance.now();
  await using closing = new AsyncDisposableStack();
  const namespace = scenario.namespaced ? closing.use(await makeNamespace()) : undefined;
  const etcd = closing.use(
    await startEtcdCluster({
      members: scenario.etcd,
      args: scenario.etcdArgs ?? [],
      ...(namespace === undefined ? {} : { places: placesAround(namespace, scenario.etcd) }),
    }),
  );
  await using stage = new Stage(etcd, { scenario, namespace, pauseMs, lookEveryMs, onNote });
  const played = play(scenario, stage);
  await (signal === undefined ? played : unlessAborted(played, signal));
  const report = await stage.finish();
  if (report.failed > 0 && scenario.mayFail === undefined) {
    throw new Error(`${report.failed} of ${report.requests} requests failed: ${report.failures.join(", ")}`);
  }
  return { ...report, scenario, tookMs: performance.now() - startedAt };
}

async function play(scenario: Scenario, stage: Stage): Promise<void> {
  await stage.addOrigins(scenario.origins ?? 2);
  await stage.addNodes(scenario.nodes ?? 1);
  if (!scenario.ownStart) {
    await stage.startNodes();
    await stage.startLoad();
  }
  await scenario.run(stage);
}

/** All members can reach each other: those outside listen on this machine's end of the cable. */
function placesAround({ name, inside, outside }: Namespace, members: number): EtcdPlace[] {
  const others = Array.from({ length: members - 1 }, () => ({ host: outside }));
  return [...others, { host: inside, namespace: name }];
}
