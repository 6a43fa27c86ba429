import type { Job } from "./jobs.ts";
import { readJunit } from "./junit.ts";
import { endLeftovers, removeRunDir, type RunMarks } from "./leftovers.ts";
import type { JobResult } from "./report.ts";

/** What a job is run with. */
export interface JobOptions {
  /** A directory that is made for the job's temporary files, and removed after it. */
  readonly dir: string;
  /** Flags of `deno test`. */
  readonly flags: readonly string[];
  /** Called before any test runs, with what distinguishes the processes of the job from others. */
  readonly onStart: (marks: RunMarks) => void;
  /** Called with each line that Deno or a test writes. */
  readonly onLine: (line: string) => void;
}

/** The result of a job, and the processes that its tests left running; they were ended. */
export interface EndedJob {
  readonly result: JobResult;
  readonly left: readonly string[];
}

/** Runs the tests of one job in a process of their own. */
export async function runJob(job: Job, { dir, flags, onStart, onLine }: JobOptions): Promise<EndedJob> {
  const startedAt = performance.now();
  await Deno.mkdir(dir);
  const junit = `${dir}/junit.xml`;
  // Types are checked by `deno task ok`.
  const deno = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", `--junit-path=${junit}`, ...flags, ...job.files],
    env: { TMPDIR: dir, NO_COLOR: "1" },
    // Ctrl-C on the terminal reaches the runner only, which ends all others.
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const marks = { sessions: [deno.pid], dir };
  onStart(marks);
  const outputs = Promise.all([readLines(deno.stdout, onLine), readLines(deno.stderr, onLine)]);
  const { code } = await deno.status;
  const left = await endLeftovers(marks);
  await outputs;
  const tests = await Deno.readTextFile(junit).then(readJunit, () => []);
  await removeRunDir(dir);
  return { result: { name: job.name, code, seconds: (performance.now() - startedAt) / 1_000, tests }, left };
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
