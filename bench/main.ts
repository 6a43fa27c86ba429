/**
 * Measures on this machine what the project promises, and prints one table.
 *
 * Exit codes: 0 it ran, also when targets are missed; 1 something broke; 2 a program is missing; 128 + n after signal n.
 */
import { prepareProcess } from "../lib/etcd/process.ts";
import { createEtcdClient } from "../lib/etcd/client.ts";
import { startEtcdCluster } from "../tools/local/etcd_cluster.ts";
import { findProgram } from "../tools/local/programs.ts";
import { tempDir } from "../tools/local/temp_dir.ts";
import { complain, say } from "../tools/local/terminal.ts";
import { exitWith, untilAskedToEnd } from "../tools/stack/main_program.ts";
import type { Bench } from "./bench.ts";
import { type BenchOptions, type Part, readOptions } from "./options.ts";
import { FastOrigins } from "./origins.ts";
import { measureBurst } from "./parts/burst.ts";
import { measureFailures } from "./parts/failures.ts";
import { measureLatency } from "./parts/latency.ts";
import { measureScale } from "./parts/scale_part.ts";
import { measureStart } from "./parts/start.ts";
import type { Findings } from "./report.ts";
import { tableLines } from "./table.ts";

const ORIGINS = 8;
const NEEDS = [
  { program: "haproxy", debianPackage: "haproxy" },
  { program: "etcd", debianPackage: "etcd-server" },
  { program: "etcdctl", debianPackage: "etcd-client" },
  { program: "wrk", debianPackage: "wrk" },
];

const MEASURE: Readonly<Record<Part, (bench: Bench) => Promise<Findings>>> = {
  latency: measureLatency,
  failures: measureFailures,
  scale: measureScale,
  burst: measureBurst,
  start: measureStart,
};

async function main(): Promise<number> {
  const options = readOptions(Deno.args);
  const missing = NEEDS.filter(({ program }) => findProgram(program) === undefined);
  if (missing.length > 0) {
    const names = missing.map(({ program }) => program).join(", ");
    const packages = missing.map(({ debianPackage }) => debianPackage).join(" ");
    complain(
      `Cannot measure: ${names} not found. On Debian or Ubuntu, as root: apt-get install ${packages}`,
    );
    return 2;
  }
  return await untilAskedToEnd(async (signal) => {
    await measure(options, signal);
    return 0;
  });
}

async function measure(options: BenchOptions, signal: AbortSignal): Promise<void> {
  prepareProcess();
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir()).path;
  const etcd = stack.use(await startEtcdCluster({ members: 1, signal, detached: true }));
  const client = stack.adopt(createEtcdClient({ endpoints: etcd.endpoints }), (client) => client.close());
  const origins = stack.use(await FastOrigins.start(ORIGINS, dir));
  const bench: Bench = { etcd, client, origins, dir, quick: options.quick, signal, left: [], say };
  const findings: Findings[] = [];
  const loadBefore = load();
  try {
    for (const part of options.only) findings.push(await MEASURE[part](bench));
  } finally {
    // Numbers from before a failure or an interrupt still count.
    findings.push(leftFindings(bench));
    say(
      `\n${navigator.hardwareConcurrency} cores, load average ${loadBefore} at the start, ${load()} at the end`,
    );
    await print(findings, options);
  }
}

/** Other work on the machine makes milliseconds meaningless; ratios are less affected. */
function load(): string {
  return (Deno.loadavg()[0] ?? NaN).toFixed(1);
}

function leftFindings({ left }: Bench): Findings {
  const of = (name: string) => String(left.filter((one) => one.name === name).length);
  return {
    title: "processes left after nodes were stopped",
    rows: [{ what: "processes", auto: of("auto"), reload: of("reload") }],
    targets: [{
      what: "HAProxy processes left over",
      limit: "0",
      measured: String(left.length),
      isReached: left.length === 0,
    }],
    numbers: left,
  };
}

async function print(findings: readonly Findings[], { json }: BenchOptions): Promise<void> {
  say(tableLines(findings).join("\n"));
  if (json !== undefined) await Deno.writeTextFile(json, `${JSON.stringify(findings, null, 2)}\n`);
}

if (import.meta.main) await exitWith(main());
