import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { backoffDelay } from "../../../lib/util/backoff.ts";

const BOUNDS = { minMs: 500, maxMs: 30_000 };

Deno.test("backoffDelay() doubles from the minimum to the maximum", () => {
  const delays = [1, 2, 3, 6, 7, 8, 1_000].map((attempt) => backoffDelay({ ...BOUNDS, attempt, random: 0 }));
  assertEquals(delays, [500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000]);
});

Deno.test("backoffDelay() starts at the minimum before the first attempt too", () => {
  assertEquals(backoffDelay({ ...BOUNDS, attempt: 0, random: 0 }), 500);
});

Deno.test("backoffDelay() is jittered down by a half at most", () => {
  fc.assert(fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
    const full = backoffDelay({ ...BOUNDS, attempt, random: 0 });
    const delay = backoffDelay({ ...BOUNDS, attempt, random });
    assert(Number.isInteger(delay) && delay <= full && delay >= full / 2, `${delay} of ${full}`);
  }));
});
