import { assertEquals, assertRejects } from "@std/assert";
import { bounded } from "../../../lib/util/bounded.ts";

const never = () => new Promise<never>(() => {});

Deno.test("bounded() gives what the call gives", async () => {
  assertEquals(await bounded(Promise.resolve(7), { limitMs: 60_000 }), 7);
});

Deno.test("bounded() throws what the call throws", async () => {
  await assertRejects(
    () => bounded(Promise.reject(new TypeError("refused")), { limitMs: 60_000 }),
    TypeError,
    "refused",
  );
});

Deno.test("bounded() gives up at the time limit and names it", async () => {
  await assertRejects(() => bounded(never(), { limitMs: 1 }), Error, "No answer within 1 ms");
});

Deno.test("bounded() gives up when the signal is aborted while it waits", async () => {
  const controller = new AbortController();
  const call = bounded(never(), { limitMs: 60_000, signal: controller.signal });
  controller.abort(new RangeError("no longer wanted"));
  await assertRejects(() => call, RangeError, "no longer wanted");
});

Deno.test("bounded() gives up at once when the signal was aborted before", async () => {
  const signal = AbortSignal.abort(new RangeError("no longer wanted"));
  await assertRejects(() => bounded(never(), { limitMs: 60_000, signal }), RangeError, "no longer wanted");
});
