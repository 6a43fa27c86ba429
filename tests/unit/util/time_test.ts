import { assertEquals, assertRejects } from "@std/assert";
import { within } from "../../../lib/util/time.ts";

const never = () => new Promise<never>(() => {});

Deno.test("within() gives what the call gives", async () => {
  assertEquals(await within(Promise.resolve(7), { limitMs: 60_000 }), 7);
});

Deno.test("within() throws what the call throws", async () => {
  await assertRejects(
    () => within(Promise.reject(new TypeError("refused")), { limitMs: 60_000 }),
    TypeError,
    "refused",
  );
});

Deno.test("within() gives up at the time limit and names it", async () => {
  await assertRejects(() => within(never(), { limitMs: 1 }), Error, "No answer within 1 ms");
});

Deno.test("within() gives up when the signal is aborted while it waits", async () => {
  const controller = new AbortController();
  const call = within(never(), { limitMs: 60_000, signal: controller.signal });
  controller.abort(new RangeError("no longer wanted"));
  await assertRejects(() => call, RangeError, "no longer wanted");
});

Deno.test("within() gives up at once when the signal was aborted before", async () => {
  const signal = AbortSignal.abort(new RangeError("no longer wanted"));
  await assertRejects(() => within(never(), { limitMs: 60_000, signal }), RangeError, "no longer wanted");
});
