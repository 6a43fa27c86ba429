import { assertEquals } from "@std/assert";
import { readJunit } from "../../../../tools/test/junit.ts";
import { reportLines } from "../../../../tools/test/report.ts";

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

Deno.test("readJunit() reads tests, without steps and those that a filter left out", () => {
  const file = "./tests/a_test.ts";
  assertEquals(readJunit(REPORT), [
    { file, name: 'drains "web-1" > 10 s', seconds: 0.113, isSkipped: false },
    { file, name: "needs a container (skipped: none)", seconds: 0, isSkipped: true },
    { file: "./tests/b_test.ts", name: "serves", seconds: 4.5, isSkipped: false },
  ]);
});

Deno.test("reportLines() names the slowest tests and those that were skipped", () => {
  assertEquals(reportLines(readJunit(REPORT)), [
    "The 2 slowest tests:",
    "    4.5 s  serves  tests/b_test.ts",
    '    0.1 s  drains "web-1" > 10 s  tests/a_test.ts',
    "",
    "1 skipped:",
    "  needs a container (skipped: none)  tests/a_test.ts",
    "",
  ]);
});

Deno.test("reportLines() names ten of the slowest at the most", () => {
  const tests = Array.from({ length: 12 }, (_, at) => ({
    file: "a_test.ts",
    name: `test ${at}`,
    seconds: at,
    isSkipped: false,
  }));
  const lines = reportLines(tests);
  assertEquals(lines[0], "The 10 slowest tests:");
  assertEquals(lines.at(-2), "    2.0 s  test 2  a_test.ts");
});
