import { assertEquals } from "@std/assert";
import { forwardClock } from "../../../lib/util/forward_clock.ts";

Deno.test("forwardClock() follows a clock that goes forwards, also by an hour", () => {
  const times = [5, 7, 3_600_007];
  const clock = forwardClock(() => times.shift() ?? 0);
  assertEquals([clock(), clock(), clock()], [5, 7, 3_600_007]);
});

Deno.test("forwardClock() goes on from where it was when the other clock goes back, again and again", () => {
  const times = [3_600_000, 0, 20, 3_600_000, 100, 130];
  const clock = forwardClock(() => times.shift() ?? 0);
  assertEquals(
    [clock(), clock(), clock(), clock(), clock(), clock()],
    [3_600_000, 3_600_000, 3_600_020, 7_200_000, 7_200_000, 7_200_030],
  );
});
