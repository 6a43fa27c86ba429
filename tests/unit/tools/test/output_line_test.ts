import { assertEquals } from "@std/assert";
import { readOutputLine } from "../../../../tools/test/output_line.ts";

Deno.test("readOutputLine() reads how a test ended", () => {
  const file = "./tests/a_test.ts";
  const result = (line: string) => readOutputLine(`${file} => ${line}`);
  assertEquals(result("drains ... ok (4s)"), { kind: "result", file, result: "passed" });
  assertEquals(result("drains ... FAILED (142µs)"), { kind: "result", file, result: "failed" });
  assertEquals(result("drains ... FAILED (due to 1 failed step) (1m2s)"), {
    kind: "result",
    file,
    result: "failed",
  });
  assertEquals(result("drains ... cancelled (0ms)"), { kind: "result", file, result: "failed" });
  assertEquals(result("drains (skipped: no haproxy) ... ignored (0ms)"), {
    kind: "result",
    file,
    result: "skipped",
  });
});

Deno.test("readOutputLine() does not take a step for a test", () => {
  assertEquals(readOutputLine("./tests/a_test.ts => drains ... at once ... ok (3ms)"), { kind: "step" });
});

Deno.test("readOutputLine() finds Deno's summary", () => {
  assertEquals(readOutputLine("ok | 12 passed (3 steps) | 0 failed | 1 ignored (4s)"), {
    kind: "summary",
    passed: 12,
  });
  assertEquals(readOutputLine("FAILED | 0 passed | 3 failed (560ms)"), { kind: "summary", passed: 0 });
});

Deno.test("readOutputLine() leaves all else alone", () => {
  for (const line of ["", "error: Error: boo", "drains => ./tests/a_test.ts:1:103"]) {
    assertEquals(readOutputLine(line), { kind: "other" });
  }
});
