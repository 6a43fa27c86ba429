import { assertEquals } from "@std/assert";
import { install } from "@sinonjs/fake-timers";
import { createBell } from "../../../lib/util/bell.ts";

const LONG_MS = 60_000;
const NEVER = new AbortController().signal;

Deno.test("createBell() ends a wait at a ring", async () => {
  const bell = createBell();
  const waited = bell.wait(LONG_MS, NEVER);
  bell.ring();
  await waited;
});

Deno.test("createBell() remembers rings before the wait, and forgets them after it", async () => {
  const bell = createBell();
  bell.ring();
  bell.ring();
  await bell.wait(LONG_MS, NEVER);
  let isOver = false;
  const end = new AbortController();
  const again = bell.wait(LONG_MS, end.signal).then(() => isOver = true);
  await Promise.resolve();
  assertEquals(isOver, false);
  end.abort();
  await again;
});

Deno.test("createBell() ends a wait after its time", async () => {
  await createBell().wait(1, NEVER);
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
