import type { ReportedTest } from "./junit.ts";

const SHOWN = 10;

/** What is said at the end of a run: the slowest tests, and all that were skipped, by name. */
export function reportLines(tests: readonly ReportedTest[]): string[] {
  const ran = tests.filter(({ isSkipped }) => !isSkipped);
  const slowest = ran.toSorted((one, other) => other.seconds - one.seconds).slice(0, SHOWN);
  const skipped = tests.filter(({ isSkipped }) => isSkipped);
  return [
    ...section(`The ${slowest.length} slowest tests:`, slowest.map(slowLine)),
    ...section(`${skipped.length} skipped:`, skipped.map((test) => `  ${titleOf(test)}`)),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines, ""];
}

function slowLine(test: ReportedTest): string {
  return `  ${test.seconds.toFixed(1).padStart(5)} s  ${titleOf(test)}`;
}

function titleOf({ file, name }: ReportedTest): string {
  return `${name}  ${file.replace(/^\.\//, "")}`;
}
