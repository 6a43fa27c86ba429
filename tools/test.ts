/**
 * Runs tests, several files at once, and tells how far it is, which tests were slow, and which were skipped.
 *
 * Usage: `tools/test.ts all|unit|integration [files and folders] [flags of deno test]`. Ends with Deno's own summary.
 * Exit codes: 0 all passed; 1 a test failed or none ran; 130 and 143 after SIGINT and SIGTERM, with all processes ended.
 */
import { green, red, say } from "./local/terminal.ts";
import { splitArguments } from "./test/arguments.ts";
import { findTestFiles } from "./test/files.ts";
import { readJunit } from "./test/junit.ts";
import { endLeftovers, removeRunDir, type RunMarks } from "./test/leftovers.ts";
import { inStartOrder } from "./test/order.ts";
import { readOutputLine } from "./test/output_line.ts";
import { NO_PROGRESS, progressBy, progressLine } from "./test/progress.ts";
import { reportLines } from "./test/report.ts";

const SUITES: Readonly<Record<string, readonly string[]>> = {
  all: ["tests"],
  unit: ["tests/unit"],
  integration: ["tests/integration", "tests/scenarios"],
};
/** Run by tasks of their own: they need a container engine, or programs that were compiled. */
const APART = ["tests/e2e/docker", "tests/e2e/binary_test.ts"];
/** Most of a test's time is waiting: for leases, time limits, and other processes. */
const JOBS_PER_CORE = 3;
const PROGRESS_EVERY_MS = 10_000;

async function runTests([suite = "", ...args]: readonly string[]): Promise<number> {
  const defaultPaths = SUITES[suite];
  if (defaultPaths === undefined) throw new Error(`Cannot run the tests "${suite}": there are none`);
  const { paths, flags } = splitArguments(args, defaultPaths);
  const files = inStartOrder(await findTestFiles(paths, APART));
  if (files.length === 0) throw new Error(`Cannot run tests: there are none in ${paths.join(", ")}`);

  const dir = await makeRunDir();
  try {
    const junit = `${dir}/junit.xml`;
    const { code, passed, summary } = await runDeno({
      dir,
      files,
      args: [`--junit-path=${junit}`, ...flags],
    });
    if (summary === undefined) return code === 0 ? 1 : code;
    say();
    reportLines(readJunit(await Deno.readTextFile(junit))).forEach((line) => say(line));
    say(code === 0 ? green(summary) : red(summary));
    if (passed > 0 || code !== 0) return code;
    console.error("Cannot call this a passed run: no test ran");
    return 1;
  } finally {
    await removeRunDir(dir);
  }
}

interface DenoRun {
  readonly dir: string;
  readonly files: readonly string[];
  readonly args: readonly string[];
}

interface DenoResult {
  readonly code: number;
  readonly passed: number;
  /** Missing when Deno ended before it wrote one. */
  readonly summary: string | undefined;
}

async function runDeno({ dir, files, args }: DenoRun): Promise<DenoResult> {
  const screen = createScreen(files.length);
  let result: Omit<DenoResult, "code"> = { passed: 0, summary: undefined };
  let isQuiet = true;
  const onLine = (line: string) => {
    const read = readOutputLine(line);
    if (read.kind === "step") return;
    if (read.kind === "result") return screen.onResult(read, line);
    if (read.kind === "summary") return result = { passed: read.passed, summary: line };
    // Blank lines set off what follows: nothing does, when all goes well.
    if (line !== "" || !isQuiet) screen.print(line);
    isQuiet = isQuiet && line === "";
  };
  // Types are checked by `deno task ok`.
  const deno = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--parallel", ...args, ...files],
    env: { TMPDIR: dir, DENO_JOBS: Deno.env.get("DENO_JOBS") ?? String(jobs()), NO_COLOR: "1" },
    // Ctrl-C on the terminal reaches this process only, which ends all others.
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const marks = { session: deno.pid, dir };
  const untilInterrupted = endOnSignal(marks);
  const outputs = Promise.all([readLines(deno.stdout, onLine), readLines(deno.stderr, onLine)]);
  const { code } = await deno.status;
  await untilInterrupted();
  const left = await endLeftovers(marks);
  await outputs;
  screen.close();
  if (left.length > 0) say(`Ended what the tests left running:\n  ${left.join("\n  ")}`);
  return { code, ...result };
}

function jobs(): number {
  return navigator.hardwareConcurrency * JOBS_PER_CORE;
}

/** A short path, because sockets are made below it. */
async function makeRunDir(): Promise<string> {
  for (;;) {
    const dir = `/tmp/t-${crypto.randomUUID().slice(0, 6)}`;
    try {
      await Deno.mkdir(dir);
      return dir;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/** Ends the run, and this process, at Ctrl-C. What it returns waits for that end, if it has begun. */
function endOnSignal(marks: RunMarks): () => Promise<void> {
  let ending: Promise<void> | undefined;
  const end = async (code: number) => {
    await endLeftovers(marks);
    await removeRunDir(marks.dir);
    Deno.exit(code);
  };
  Deno.addSignalListener("SIGINT", () => void (ending ??= end(130)));
  Deno.addSignalListener("SIGTERM", () => void (ending ??= end(143)));
  return async () => await ending;
}

/** What is seen of a run: on a terminal one line that changes, elsewhere a line every ten seconds; failures at once. */
function createScreen(files: number) {
  const startedAt = performance.now();
  const isTerminal = Deno.stdout.isTerminal();
  const write = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));
  let progress = NO_PROGRESS;
  const line = () => progressLine(progress, { files, ms: performance.now() - startedAt });
  const show = () => {
    if (isTerminal) write(`\r\x1b[K${line().slice(0, Deno.consoleSize().columns - 1)}`);
    else say(line());
  };
  const print = (text: string) => {
    if (isTerminal) write("\r\x1b[K");
    say(text);
    if (isTerminal) show();
  };
  const timer = setInterval(show, isTerminal ? 1_000 : PROGRESS_EVERY_MS);
  return {
    print,
    onResult(read: Parameters<typeof progressBy>[1], text: string) {
      progress = progressBy(progress, read);
      if (read.result === "failed") return print(red(text));
      if (isTerminal) show();
    },
    close() {
      clearInterval(timer);
      show();
      if (isTerminal) say();
    },
  };
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
  }
  if (rest !== "") onLine(rest);
}

if (import.meta.main) {
  try {
    Deno.exit(await runTests(Deno.args));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
