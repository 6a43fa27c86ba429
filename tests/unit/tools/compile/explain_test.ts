import { assertEquals } from "@std/assert";
import { explainFailure } from "../../../../tools/compile/explain.ts";

Deno.test("explainFailure() names a runtime that cannot be fetched", () => {
  const stderr = [
    "error: Writing deno compile executable to temporary file 'a.tmp-e7b515ef7b686e9e'",
    "Caused by:",
    "    0: Setting up base binary.",
    "    1: error sending request for url (https://dl.deno.land/release/v2.9.6/denort-aarch64-unknown-linux-gnu.zip): " +
    "client error (Connect): dns error: failed to lookup address information: Name or service not known",
  ].join("\n");
  assertEquals(
    explainFailure(stderr),
    "its runtime cannot be fetched from dl.deno.land (DENORT_BIN can name a local one)",
  );
});

Deno.test("explainFailure() leaves other failures to deno's own words", () => {
  assertEquals(explainFailure("error: Module not found 'file:///main.ts'"), undefined);
});
