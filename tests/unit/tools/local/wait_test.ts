import { assertEquals, assertRejects } from "@std/assert";
import { waitFor } from "../../../support/mod.ts";

Deno.test("waitFor() returns the first truthy answer, errors before it notwithstanding", async () => {
  const answers = [() => fail("not yet"), () => undefined, () => "there"];
  const seen = await waitFor("the third answer", () => answers.shift()?.(), { everyMs: 1 });
  assertEquals(seen, "there");
});

Deno.test("waitFor() says at its deadline what it waited for and the last error", async () => {
  const waiting = waitFor("the moon", () => fail("too far"), { deadlineMs: 20, everyMs: 1 });
  await assertRejects(() => waiting, Error, "the moon");
  await assertRejects(() => waiting, Error, "the last error was too far");
});

Deno.test("waitFor() ends at its deadline though the condition hangs", async () => {
  const never = () => new Promise<boolean>(() => {});
  await assertRejects(() => waitFor("nothing", never, { deadlineMs: 20 }), Error, "never answered");
});

Deno.test("waitFor() ends with the signal's reason when it is aborted", async () => {
  const stop = new AbortController();
  const waiting = waitFor("nothing", () => false, { signal: stop.signal });
  stop.abort(new Error("Ctrl-C"));
  await assertRejects(() => waiting, Error, "Ctrl-C");
});

function fail(message: string): never {
  throw new Error(message);
}
