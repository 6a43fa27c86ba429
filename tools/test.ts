/**
 * Runs tests, several files at once, and shows the result of each, which tests were slow, and which were skipped.
 *
 * Usage: `tools/test.ts all|unit|integration [files and folders] [flags of deno test]`. `DENO_JOBS` says how many files
 * run at once. Exit codes: 0 all passed; 1 a test failed or none ran; 130 and 143 after SIGINT and SIGTERM, with all
 * processes ended.
 */
import { green, red } from "./local/terminal.ts";
import { splitArguments } from "./test/arguments.ts";
import { findTestFiles } from "./test/files.ts";
import { type Job, planJobs } from "./test/jobs.ts";
import { endLeftovers, removeRunDir, type RunMarks } from "./test/leftovers.ts";
import { countTests, type JobResult, reportLines, summaryLine } from "./test/report.ts";
import { runJob } from "./test/run_job.ts";
import { createScreen, writeLine } from "./test/screen.ts";

const SUITES: Readonly<Record<string, readonly string[]>> = {
  all: ["tests"],
  unit: ["tests/unit"],
  integration: ["tests/integration", "tests/scenarios"],
};
/** Run by tasks of their own: they need a container engine, or programs that were compiled. */
const APART = ["tests/e2e/docker", "tests/e2e/binary_test.ts"];
/** Most of a test's time is waiting: for leases, time limits, and other processes. */
const JOBS_PER_CORE = 3;
const UNIT_BATCHES_PER_CORE = 4;

async function runTests([suite = "", ...args]: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const defaultPaths = SUITES[suite];
  if (defaultPaths === undefined) throw new Error(`Cannot run the tests "${suite}": there are none`);
  const { paths, flags } = splitArguments(args, defaultPaths);
  const files = await findTestFiles(paths, APART);
  if (files.length === 0) throw new Error(`Cannot run tests: there are none in ${paths.join(", ")}`);

  const jobs = planJobs(files, { batches: navigator.hardwareConcurrency * UNIT_BATCHES_PER_CORE });
  const results = await runJobs(jobs, flags);
  const counts = countTests(results);
  writeLine();
  reportLines(results).forEach((line) => writeLine(line));
  const summary = summaryLine(counts, performance.now() - startedAt);
  writeLine(counts.failed === 0 ? green(summary) : red(summary));
  if (counts.failed > 0) return 1;
  if (counts.passed > 0) return 0;
  console.error("Cannot call this a passed run: no test ran");
  return 1;
}

async function runJobs(jobs: readonly Job[], flags: readonly string[]): Promise<JobResult[]> {
  const startedAt = performance.now();
  const dir = await makeRunDir();
  const waiting = [...jobs.entries()];
  const running = new Map<string, RunMarks>();
  const results: JobResult[] = [];
  const screen = createScreen(() => ({
    counts: countTests(results),
    ms: performance.now() - startedAt,
    waiting: waiting.length,
    running: [...running.keys()],
  }));
  const untilInterrupted = endOnSignal(() => ({
    sessions: [...running.values()].flatMap(({ sessions }) => sessions),
    dir,
  }));
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, job] = next;
      const output: string[] = [];
      const { result, left } = await runJob(job, {
        dir: `${dir}/${at}`,
        flags,
        onStart: (marks) => running.set(job.name, marks),
        // What a single file writes is shown as it comes.
        onLine: jobs.length === 1 ? screen.print : (line) => output.push(line),
      });
      await untilInterrupted();
      running.delete(job.name);
      results.push(result);
      screen.onEnd(result, output);
      left.forEach((process) => screen.print(`       it left this process running (ended now): ${process}`));
      if (result.code !== 0 && flags.some((flag) => flag.startsWith("--fail-fast"))) waiting.length = 0;
    }
  };
  await Promise.all(Array.from({ length: jobsAtOnce() }, work));
  screen.close();
  await removeRunDir(dir);
  return results;
}

function jobsAtOnce(): number {
  return Number(Deno.env.get("DENO_JOBS")) || navigator.hardwareConcurrency * JOBS_PER_CORE;
}

/** A short path, because sockets are made below it. */
async function makeRunDir(): Promise<string> {
  for (;;) {
    const dir = `/tmp/t-${crypto.randomUUID().slice(0, 4)}`;
    try {
      await Deno.mkdir(dir);
      return dir;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/** Ends all tests, and this process, at Ctrl-C. What it returns waits for that end, if it has begun. */
function endOnSignal(marks: () => RunMarks): () => Promise<void> {
  let ending: Promise<void> | undefined;
  const end = async (code: number) => {
    const { sessions, dir } = marks();
    await endLeftovers({ sessions, dir });
    await removeRunDir(dir);
    Deno.exit(code);
  };
  Deno.addSignalListener("SIGINT", () => void (ending ??= end(130)));
  Deno.addSignalListener("SIGTERM", () => void (ending ??= end(143)));
  return async () => await ending;
}

if (import.meta.main) {
  try {
    Deno.exit(await runTests(Deno.args));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
