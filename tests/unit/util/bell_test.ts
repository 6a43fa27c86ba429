import { assertEquals } from "@std/assert";
import { install } from "@sinonjs/fake-timers";
import { createBell } from "../../../lib/util/bell.ts";

const LONG_MS = 60_000;
const NEVER = new AbortController().signal;

Deno.test("createBell() ends a wait at a ring", async () => {
  const bell = createBell();
  const waited = bell.wait(LONG_MS, NEVER);
  bell.ring();
  assertEquals(await waited, true);
});

Deno.test("createBell() remembers rings before the wait, and forgets them after it", async () => {
  const bell = createBell();
  bell.ring();
  bell.ring();
  assertEquals([await bell.wait(LONG_MS, NEVER), await bell.wait(1, NEVER)], [true, false]);
});

Deno.test("createBell() ends a wait at an abort", async () => {
  const end = new AbortController();
  const waited = createBell().wait(LONG_MS, end.signal);
  end.abort();
  assertEquals(await waited, false);
});

Deno.test("createBell() waits for a ring, however long, without a time that no timer takes", async () => {
  const clock = install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const bell = createBell();
    let isOver = false;
    const waited = bell.wait(Infinity, NEVER).then(() => isOver = true);
    await clock.tickAsync(24 * 60 * 60 * 1_000);
    assertEquals(isOver, false);
    bell.ring();
    await waited;
  } finally {
    clock.uninstall();
  }
});
