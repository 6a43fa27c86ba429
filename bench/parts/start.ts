import { pickPort } from "../../tools/local/ports.ts";
import { type LocalProcess, startProcess } from "../../tools/local/process.ts";
import { requireProgram } from "../../tools/local/programs.ts";
import { waitFor } from "../../tools/local/wait.ts";
import { type Bench, rest } from "../bench.ts";
import { Contestant } from "../contestant.ts";
import { digits, type Findings } from "../report.ts";
import { median } from "../stats.ts";
import { startSmall } from "./latency.ts";

/** Milliseconds from the start of a process to the first response through HAProxy. */
interface Starts {
  readonly withEtcd: number[];
  readonly withoutEtcd: number[];
  readonly bareHaproxy: number[];
}

/** Time until a node serves: a new one with etcd, one that served before and has no etcd, and HAProxy alone. */
export async function measureStart(bench: Bench): Promise<Findings> {
  bench.say("start: from the start of the process to the first response");
  const starts: Starts = { withEtcd: [], withoutEtcd: [], bareHaproxy: [] };
  for (let round = 0; round < (bench.quick ? 1 : 5); round++) await oneRound(starts, bench);
  return {
    title: "start -> first response, ms",
    rows: [
      { what: "new node, etcd there", auto: digits(median(starts.withEtcd)) },
      { what: "no etcd, the last good file", auto: digits(median(starts.withoutEtcd)) },
      { what: "HAProxy alone with the same file", floor: digits(median(starts.bareHaproxy)) },
    ],
    targets: [],
    numbers: starts,
  };
}

async function oneRound(starts: Starts, bench: Bench): Promise<void> {
  await using contestant = await Contestant.make("auto", bench);
  const { node } = contestant;
  const begun = performance.now();
  const [withEtcd] = await Promise.all([
    untilResponse(contestant, begun, bench),
    startSmall(contestant, bench),
  ]);
  starts.withEtcd.push(withEtcd);
  await rest(500, bench);
  await contestant.stop();
  starts.withoutEtcd.push(await startWithoutEtcd(contestant, bench));
  starts.bareHaproxy.push(await startHaproxy(contestant, node.configPath, bench));
}

async function startWithoutEtcd(contestant: Contestant, bench: Bench): Promise<number> {
  const begun = performance.now();
  contestant.launchNode(["--endpoints", `http://127.0.0.1:${pickPort()}`]);
  const took = await untilResponse(contestant, begun, bench);
  await contestant.stop();
  return took;
}

async function startHaproxy(contestant: Contestant, config: string, bench: Bench): Promise<number> {
  const begun = performance.now();
  const command = requireProgram("haproxy");
  await using _haproxy: LocalProcess = startProcess({
    name: "haproxy",
    command,
    args: ["-db", "-f", config],
  });
  return await untilResponse(contestant, begun, bench);
}

async function untilResponse({ node }: Contestant, begun: number, { signal }: Bench): Promise<number> {
  await waitFor("a response", async () => (await node.request()).status === 200, { everyMs: 2, signal });
  return performance.now() - begun;
}
