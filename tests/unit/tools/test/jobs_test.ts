import { assertEquals } from "@std/assert";
import { planJobs } from "../../../../tools/test/jobs.ts";

Deno.test("planJobs() gives each file that starts processes a job, and puts the others together behind them", () => {
  const files = [
    "tests/unit/a_test.ts",
    "tests/integration/b_test.ts",
    "tests/unit/c_test.ts",
    "tests/unit/d_test.ts",
  ];
  assertEquals(planJobs(files, { batches: 2 }), [
    { name: "tests/integration/b_test.ts", files: ["tests/integration/b_test.ts"] },
    { name: "tests/unit/a_test.ts and 1 more", files: ["tests/unit/a_test.ts", "tests/unit/d_test.ts"] },
    { name: "tests/unit/c_test.ts", files: ["tests/unit/c_test.ts"] },
  ]);
});

Deno.test("planJobs() begins with what takes longest", () => {
  const files = ["tests/integration/admin_test.ts", "tests/integration/many_entries_test.ts"];
  assertEquals(planJobs(files, { batches: 2 }).map(({ name }) => name), files.toReversed());
});
