import { assertEquals, assertThrows } from "@std/assert";
import { parseCompileOptions } from "../../../../tools/compile/options.ts";

Deno.test("parseCompileOptions() makes both targets by default", () => {
  assertEquals(parseCompileOptions([], undefined), {
    targets: ["x86_64", "aarch64"],
    output: undefined,
    commit: undefined,
  });
});

Deno.test("parseCompileOptions() makes by default only what the given runtime is for", () => {
  assertEquals(parseCompileOptions([], "aarch64").targets, ["aarch64"]);
});

Deno.test("parseCompileOptions() takes one target, by either name, where to write it, and its commit", () => {
  assertEquals(
    parseCompileOptions(["--target", "arm64", "--output", "/out/x", "--commit", "0123456"], undefined),
    {
      targets: ["aarch64"],
      output: "/out/x",
      commit: "0123456",
    },
  );
});

Deno.test("parseCompileOptions() refuses what cannot be made", () => {
  const message = (args: string[], runtime?: "x86_64") =>
    assertThrows(() => parseCompileOptions(args, runtime), Error).message;
  assertEquals(
    message(["--target", "s390x"]),
    "Cannot compile for s390x: it is neither x86_64 nor aarch64",
  );
  assertEquals(
    message(["--target", "arm64"], "x86_64"),
    "Cannot compile for aarch64: the runtime in DENORT_BIN is for x86_64",
  );
  assertEquals(message(["--output", "x"]), "Cannot write --output: it takes exactly one --target");
});
