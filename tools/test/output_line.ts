/** What one line of `deno test --parallel` says. */
export type OutputLine =
  | { readonly kind: "result"; readonly file: string; readonly result: TestResult }
  /** A step of a test has ended; the result of its test follows. */
  | { readonly kind: "step" }
  /** Deno's own summary, such as `ok | 12 passed (3 steps) | 0 failed | 1 ignored (4s)`. */
  | { readonly kind: "summary"; readonly passed: number }
  | { readonly kind: "other" };

/** How a test ended. */
export type TestResult = "passed" | "failed" | "skipped";

const RESULT = /^(\S+) => (.*) \.\.\. (ok|FAILED|ignored|cancelled)(?: \(.*\))?$/;
const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed/;
const RESULTS: Readonly<Record<string, TestResult>> = { ok: "passed", ignored: "skipped" };

/** Reads one line that was written without colours. A line of a test's own output may look like a result. */
export function readOutputLine(line: string): OutputLine {
  const [, file, name, word] = RESULT.exec(line) ?? [];
  if (file !== undefined && name !== undefined && word !== undefined) {
    return name.includes(" ... ")
      ? { kind: "step" }
      : { kind: "result", file, result: RESULTS[word] ?? "failed" };
  }
  const [, passed] = SUMMARY.exec(line) ?? [];
  return passed === undefined ? { kind: "other" } : { kind: "summary", passed: Number(passed) };
}
