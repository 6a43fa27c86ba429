/**
 * Runs a node under random faults for some time, and compares what its processes hold in the first and in the last third.
 *
 * Exit codes: 0 all was steady and no request failed that must not, 1 otherwise, 2 wrong usage, 128 + n after signal n.
 */
import { Command, InvalidArgumentError } from "commander";
import { Stage } from "../tests/support/stage.ts";
import { startEtcdCluster } from "./local/etcd_cluster.ts";
import { bold, dim, duration, green, red, say } from "./local/terminal.ts";
import { pause, unlessAborted } from "./local/wait.ts";
import { FAULTS, type SoakFault } from "./soak/faults.ts";
import { seededRandom } from "./soak/random.ts";
import { sample } from "./soak/sample.ts";
import { judge, type Sample, verdictTable } from "./soak/verdict.ts";
import { exitWith, untilAskedToEnd } from "./stack/main_program.ts";

interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
}

const SAMPLE_EVERY_MS = 3_000;
/** Requests that were under way when HAProxy was killed, and their next tries, may fail for so long after its return. */
const EXCUSED_AFTER_MS = 1_000;
const EXCUSED = "excused";
/** Programs first read their code and fill their caches, which does not count. */
const WARM_UP_MS = 30_000;

async function main(options: SoakOptions, signal: AbortSignal): Promise<number> {
  say(bold(`Soak of ${options.minutes} minutes, seed ${options.seed}`));
  await using etcd = await startEtcdCluster({ members: 3, signal });
  const scenario = { leaseSeconds: 30 };
  const onNote = (text: string) => say(dim(`   ${text}`));
  await using stage = new Stage(etcd, {
    scenario,
    namespace: undefined,
    pauseMs: 0,
    lookEveryMs: 20,
    onNote,
  });
  return await unlessAborted(soak(stage, options), signal);
}

async function soak(stage: Stage, options: SoakOptions): Promise<number> {
  await stage.addOrigins(3);
  await stage.addNodes(1);
  await stage.startNodes();
  await stage.startLoad();
  const done = new AbortController();
  const samples: Sample[] = [];
  const sampling = takeSamples(stage, samples, done.signal);
  const counts = await breakThings(stage, { ...options, seen: () => samples.length });
  done.abort();
  await sampling;
  await stage.stopLoad();
  return report(stage, samples, counts);
}

async function takeSamples(stage: Stage, samples: Sample[], signal: AbortSignal): Promise<void> {
  await pause(WARM_UP_MS, signal);
  while (!signal.aborted) {
    const { haproxy } = await stateOf(stage);
    const taken = await sample(stage.node.controller.pid, haproxy);
    if (taken !== undefined) samples.push(taken);
    await pause(SAMPLE_EVERY_MS, signal);
  }
}

/** A controller that is frozen answers later. */
async function stateOf(stage: Stage): Promise<{ haproxy: number | undefined }> {
  try {
    return { haproxy: (await stage.node.state()).haproxy.pid };
  } catch {
    return { haproxy: undefined };
  }
}

async function breakThings(
  stage: Stage,
  { minutes, seed, seen }: SoakOptions & { seen: () => number },
): Promise<Map<string, number>> {
  const random = seededRandom(seed);
  const counts = new Map<string, number>();
  const startedAt = performance.now();
  const endsAt = startedAt + minutes * 60_000;
  while (performance.now() < endsAt) {
    const fault = random.pick(FAULTS);
    const at = duration(performance.now() - startedAt);
    say(dim(`   ${at}: ${fault.name} (${stage.load.chapter.all.requests} requests, ${seen()} samples)`));
    await happen(stage, fault, () => fault.run(stage, random));
    counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
    await pause(random.between(500, 3_000));
  }
  return counts;
}

/** Every fault ends with a node that is right again; a deadline that passes ends the soak. */
async function happen(stage: Stage, { excuses }: SoakFault, work: () => Promise<void>): Promise<void> {
  if (excuses) stage.load.mark(EXCUSED);
  await work();
  await stage.untilRight();
  if (!excuses) return;
  await pause(EXCUSED_AFTER_MS);
  stage.load.mark("calm");
}

function report(stage: Stage, samples: readonly Sample[], counts: ReadonlyMap<string, number>): number {
  const rows = judge(samples);
  say();
  for (const [name, count] of counts) say(`${String(count).padStart(4)} x ${name}`);
  say();
  say(verdictTable(rows));
  say();
  const { chapters } = stage.load;
  const requests = chapters.reduce((sum, { all }) => sum + all.requests, 0);
  const excused = failedIn(stage, (name) => name === EXCUSED);
  const other = failedIn(stage, (name) => name !== EXCUSED);
  say(
    `${requests} requests, ${excused.count} failed while HAProxy was killed, ${other.count} at other times`,
  );
  const grows = rows.filter(({ isSteady }) => !isSteady);
  for (const { measure } of grows) say(red(`${measure} grew by more than 10 %`));
  if (other.count > 0) say(red(`requests failed: ${other.kinds.join(", ")}`));
  if (grows.length > 0 || other.count > 0) return 1;
  say(green("steady"));
  return 0;
}

function failedIn(
  stage: Stage,
  isMeant: (chapter: string) => boolean,
): { count: number; kinds: readonly string[] } {
  const all = stage.load.chapters.filter(({ name }) => isMeant(name)).map(({ all }) => all);
  const kinds = new Set(all.flatMap(({ kinds }) => [...kinds.keys()]));
  return { count: all.reduce((sum, { failed }) => sum + failed, 0), kinds: [...kinds] };
}

function parseNumber(text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number > 0) return number;
  throw new InvalidArgumentError("it must be a number above 0");
}

function parse(args: string[]): SoakOptions {
  return new Command("deno task soak")
    .description(
      "Runs a node under random faults, and compares its use of memory, files and processes early and late.",
    )
    .option("--minutes <number>", "how long", parseNumber, 10)
    .option("--seed <number>", "which faults; the same seed makes the same choices", parseNumber, newSeed())
    .exitOverride((error) => Deno.exit(error.exitCode === 0 ? 0 : 2))
    .parse(args, { from: "user" })
    .opts<{ minutes: number; seed: number }>();
}

function newSeed(): number {
  return 1 + Math.floor(Math.random() * 1_000_000);
}

if (import.meta.main) {
  const options = parse(Deno.args);
  await exitWith(untilAskedToEnd((signal) => main(options, signal)));
}
