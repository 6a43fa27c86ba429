import { assertEquals } from "@std/assert";
import { NO_PROGRESS, progressBy, progressLine } from "../../../../tools/test/progress.ts";

Deno.test("progressLine() counts results and files", () => {
  const results = [
    { file: "./tests/unit/a_test.ts", result: "passed" },
    { file: "./tests/unit/a_test.ts", result: "skipped" },
    { file: "./tests/unit/b_test.ts", result: "failed" },
  ] as const;
  const progress = results.reduce(progressBy, NO_PROGRESS);
  assertEquals(
    progressLine(progress, { files: 3, ms: 12_400 }),
    "  12 s  1 passed, 1 failed, 1 skipped; 2 of 3 files begun; last: unit/b_test.ts",
  );
});
