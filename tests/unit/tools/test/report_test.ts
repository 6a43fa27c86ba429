import { assertEquals } from "@std/assert";
import { readJunit, type ReportedTest } from "../../../../tools/test/junit.ts";
import {
  countTests,
  jobLine,
  type JobResult,
  reportLines,
  summaryLine,
} from "../../../../tools/test/report.ts";
import { progressLine } from "../../../../tools/test/screen.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="6" failures="1" errors="0" time="5.560">
    <testsuite name="./tests/a_test.ts" tests="5" disabled="1" errors="0" failures="1">
        <testcase name="drains &quot;web-1&quot; &gt; 10 s" classname="./tests/a_test.ts" time="0.113" line="1" col="6">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
        <testcase name="drains &quot;web-1&quot; &gt; 10 s &gt; a step" classname="./tests/a_test.ts" time="0.003" line="1" col="6">
        </testcase>
        <testcase name="needs a container (skipped: none)" classname="./tests/a_test.ts" time="0.000" line="3" col="6">
            <skipped/>
        </testcase>
        <testcase name="left out by a filter" classname="./tests/a_test.ts" line="3" col="6">
            <skipped/>
        </testcase>
    </testsuite>
    <testsuite name="./tests/b_test.ts" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="serves" classname="./tests/b_test.ts" time="4.500" line="1" col="6">
        </testcase>
    </testsuite>
</testsuites>`;

Deno.test("readJunit() reads tests, without steps and filtered tests", () => {
  const file = "./tests/a_test.ts";
  assertEquals(readJunit(REPORT), [
    { file, name: 'drains "web-1" > 10 s', seconds: 0.113, result: "failed" },
    { file, name: "needs a container (skipped: none)", seconds: 0, result: "skipped" },
    { file: "./tests/b_test.ts", name: "serves", seconds: 4.5, result: "passed" },
  ]);
});

const job = (name: string, tests: readonly ReportedTest[], code = 0): JobResult => ({
  name,
  code,
  seconds: 4.6,
  tests,
});

Deno.test("reportLines() names the slowest, the skipped and the failed tests", () => {
  const jobs = [job("tests/a_test.ts", readJunit(REPORT), 1), job("tests/c_test.ts", [], 1)];
  assertEquals(reportLines(jobs), [
    "The 2 slowest tests:",
    "   4.5 s  serves  tests/b_test.ts",
    '   0.1 s  drains "web-1" > 10 s  tests/a_test.ts',
    "",
    "1 skipped:",
    "  needs a container (skipped: none)  tests/a_test.ts",
    "",
    "2 failed:",
    '  drains "web-1" > 10 s  tests/a_test.ts',
    "  tests/c_test.ts, outside of its tests",
    "",
  ]);
});

Deno.test("reportLines() names ten of the slowest at the most", () => {
  const tests = Array.from({ length: 12 }, (_, at): ReportedTest => ({
    file: "a_test.ts",
    name: `test ${at}`,
    seconds: at,
    result: "passed",
  }));
  const lines = reportLines([job("a_test.ts", tests)]);
  assertEquals(lines[0], "The 10 slowest tests:");
  assertEquals(lines.at(-2), "   2.0 s  test 2  a_test.ts");
});

Deno.test("countTests() counts a file that failed outside of its tests", () => {
  const jobs = [job("tests/a_test.ts", readJunit(REPORT), 1), job("tests/c_test.ts", [], 1)];
  assertEquals(countTests(jobs), { passed: 1, failed: 2, skipped: 1 });
});

Deno.test("jobLine() tells what came of a file", () => {
  assertEquals(jobLine(job("a_test.ts", [])), "ok        4.6 s  a_test.ts: 0 passed");
  assertEquals(
    jobLine(job("a_test.ts", readJunit(REPORT), 1)),
    "FAILED    4.6 s  a_test.ts: 1 passed, 1 failed, 1 skipped",
  );
});

Deno.test("summaryLine() reads as Deno's own", () => {
  assertEquals(
    summaryLine({ passed: 1_650, failed: 0, skipped: 2 }, 184_400),
    "ok | 1650 passed | 0 failed | 2 ignored (3m4s)",
  );
  assertEquals(summaryLine({ passed: 1, failed: 1, skipped: 0 }, 900), "FAILED | 1 passed | 1 failed (1s)");
});

Deno.test("progressLine() tells how far a run is", () => {
  const counts = { passed: 12, failed: 0, skipped: 1 };
  assertEquals(
    progressLine({ counts, ms: 12_400, waiting: 3, running: ["tests/unit/a_test.ts", "./tests/b_test.ts"] }),
    "12 s: 12 passed, 0 failed, 1 skipped; 3 files wait; running unit/a_test.ts, b_test.ts",
  );
});
