import { assertEquals } from "@std/assert";
import { splitArguments } from "../../../../tools/test/arguments.ts";

Deno.test("splitArguments() tells paths from flags and their values", () => {
  const args = ["tests/one_test.ts", "--filter", "drains", "--fail-fast", "tests/unit/"];
  assertEquals(splitArguments(args, ["tests"]), {
    paths: ["tests/one_test.ts", "tests/unit/"],
    flags: ["--filter", "drains", "--fail-fast"],
  });
});

Deno.test("splitArguments() takes the default paths when none is given", () => {
  assertEquals(splitArguments(["--filter=x"], ["tests"]), { paths: ["tests"], flags: ["--filter=x"] });
});
