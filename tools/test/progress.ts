import type { TestResult } from "./output_line.ts";

/** How far a run is. */
export interface Progress {
  readonly counts: Readonly<Record<TestResult, number>>;
  /** Files of which at least one test has ended. */
  readonly begun: ReadonlySet<string>;
  readonly last: string;
}

export const NO_PROGRESS: Progress = {
  counts: { passed: 0, failed: 0, skipped: 0 },
  begun: new Set(),
  last: "",
};

/** Counts one more test. */
export function progressBy(
  before: Progress,
  { file, result }: { file: string; result: TestResult },
): Progress {
  return {
    counts: { ...before.counts, [result]: before.counts[result] + 1 },
    begun: new Set([...before.begun, file]),
    last: file.replace(/^\.\/(tests\/)?/, ""),
  };
}

/** One line that tells how far a run is. */
export function progressLine({ counts, begun, last }: Progress, run: { files: number; ms: number }): string {
  const { passed, failed, skipped } = counts;
  const time = `${Math.round(run.ms / 1_000)} s`.padStart(6);
  const tests = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  return `${time}  ${tests}; ${begun.size} of ${run.files} files begun; last: ${last}`;
}
