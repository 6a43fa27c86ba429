import type { ReportedTest } from "./junit.ts";

const SHOWN = 10;

/** The result of one job. */
export interface JobResult {
  readonly name: string;
  readonly code: number;
  readonly seconds: number;
  readonly tests: readonly ReportedTest[];
}

/** How many tests of some jobs passed, failed and were skipped. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts tests. A job that failed without a failed test counts as one: a file that cannot be loaded, for instance. */
export function countTests(jobs: readonly JobResult[]): Counts {
  const count = (result: ReportedTest["result"]) =>
    jobs.flatMap(({ tests }) => tests).filter((test) => test.result === result).length;
  const others = jobs.filter(({ code, tests }) =>
    code !== 0 && tests.every(({ result }) => result !== "failed")
  );
  return { passed: count("passed"), failed: count("failed") + others.length, skipped: count("skipped") };
}

/** The result of a job in one line. */
export function jobLine(job: JobResult): string {
  const { passed, failed, skipped } = countTests([job]);
  const counts = [
    `${passed} passed`,
    ...failed ? [`${failed} failed`] : [],
    ...skipped ? [`${skipped} skipped`] : [],
  ];
  return `${job.code === 0 ? "ok    " : "FAILED"} ${secondsText(job)}  ${job.name}: ${counts.join(", ")}`;
}

/** What is said at the end of a run: the slowest tests, all that were skipped, and all that failed, by name. */
export function reportLines(jobs: readonly JobResult[]): string[] {
  const tests = jobs.flatMap(({ tests }) => tests);
  const ran = tests.filter(({ result }) => result !== "skipped");
  const slowest = ran.toSorted((one, other) => other.seconds - one.seconds).slice(0, SHOWN);
  const named = (result: ReportedTest["result"]) =>
    tests.filter((test) => test.result === result).map((test) => `  ${titleOf(test)}`);
  const skipped = named("skipped");
  const failed = [
    ...named("failed"),
    ...jobs.filter((job) => job.code !== 0 && job.tests.every(({ result }) => result !== "failed"))
      .map(({ name }) => `  ${name}, outside of its tests`),
  ];
  return [
    ...section(
      `The ${slowest.length} slowest tests:`,
      slowest.map((test) => `${secondsText(test)}  ${titleOf(test)}`),
    ),
    ...section(`${skipped.length} skipped:`, skipped),
    ...section(`${failed.length} failed:`, failed),
  ];
}

/** The last line of a run, as `deno test` would write it. */
export function summaryLine({ passed, failed, skipped }: Counts, ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const minutes = Math.floor(seconds / 60);
  const time = minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
  const ignored = skipped > 0 ? ` | ${skipped} ignored` : "";
  return `${failed > 0 ? "FAILED" : "ok"} | ${passed} passed | ${failed} failed${ignored} (${time})`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines, ""];
}

function secondsText({ seconds }: { seconds: number }): string {
  return `${seconds.toFixed(1).padStart(6)} s`;
}

function titleOf({ file, name }: ReportedTest): string {
  return `${name}  ${file.replace(/^\.\//, "")}`;
}
