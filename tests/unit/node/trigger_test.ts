import { assertEquals } from "@std/assert";
// @ts-types="../../../types/fake_timers.d.ts"
import { type FakeClock, install } from "@sinonjs/fake-timers";
import { createTrigger, type Trigger } from "../../../lib/node/trigger.ts";

const OPTIONS = { debounceMs: 20, maxWaitMs: 100 };

/** Longer than any test; a wait has a timer of its own. */
const LONG_MS = 3_600_000;
const WAITING_TIMERS = 1;

/** A trigger on a clock of its own, and how often a loop that waits for it was woken. */
interface Bell {
  readonly trigger: Trigger;
  readonly clock: FakeClock;
  woken(): number;
}

function withTrigger(name: string, run: (bell: Bell) => Promise<void>): void {
  Deno.test(name, async () => {
    const clock = install({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const trigger = createTrigger(OPTIONS);
      await run({ trigger, clock, woken: listen(trigger) });
      trigger.stop();
      assertEquals(clock.countTimers(), WAITING_TIMERS);
    } finally {
      clock.uninstall();
    }
  });
}

/** Waits for one edge after the other. */
function listen(trigger: Trigger): () => number {
  let woken = 0;
  const { signal } = new AbortController();
  const again = () => {
    woken++;
    trigger.next(LONG_MS, signal).then(again);
  };
  trigger.next(LONG_MS, signal).then(again);
  return () => woken;
}

withTrigger("createTrigger() wakes at once at the first change", async ({ trigger, clock, woken }) => {
  await clock.tickAsync(1_000);
  assertEquals(woken(), 0);
  trigger.ring();
  assertEquals(trigger.quiet(), false);
  await clock.tickAsync(0);
  assertEquals(woken(), 1);
});

withTrigger("createTrigger() does not wake again when nothing follows the first change", async (bell) => {
  bell.trigger.ring();
  await bell.clock.tickAsync(1_000);
  assertEquals([bell.woken(), bell.trigger.quiet()], [1, true]);
});

withTrigger(
  "createTrigger() makes two wakes of a burst: its first change, and the quiet after its last",
  async (bell) => {
    const { trigger, clock, woken } = bell;
    for (let change = 0; change < 5; change++) {
      trigger.ring();
      await clock.tickAsync(15);
      assertEquals([woken(), trigger.quiet()], [1, false]);
    }
    await clock.tickAsync(5);
    assertEquals([woken(), trigger.quiet()], [2, true]);
    await clock.tickAsync(1_000);
    assertEquals(woken(), 2);
  },
);

withTrigger(
  "createTrigger() takes changes for quiet after the maximum wait, though they keep coming",
  async (bell) => {
    const { trigger, clock, woken } = bell;
    for (let ms = 0; ms < 90; ms += 10) {
      trigger.ring();
      await clock.tickAsync(10);
    }
    trigger.ring();
    await clock.tickAsync(9);
    assertEquals([woken(), trigger.quiet()], [1, false]);
    await clock.tickAsync(1);
    assertEquals([woken(), trigger.quiet()], [2, true]);
  },
);

withTrigger("createTrigger() starts over after the quiet: the next change wakes at once", async (bell) => {
  bell.trigger.ring();
  await bell.clock.tickAsync(20);
  bell.trigger.ring();
  await bell.clock.tickAsync(0);
  assertEquals(bell.woken(), 2);
});

withTrigger(
  "createTrigger() wakes at the quiet when that was asked for, without a further change",
  async (bell) => {
    const { trigger, clock, woken } = bell;
    trigger.ring();
    await clock.tickAsync(0);
    trigger.wakeWhenQuiet();
    await clock.tickAsync(19);
    assertEquals(woken(), 1);
    await clock.tickAsync(1);
    assertEquals(woken(), 2);
    await clock.tickAsync(1_000);
    assertEquals(woken(), 2);
  },
);

withTrigger("createTrigger() wakes at once when the quiet is asked for and there already", async (bell) => {
  bell.trigger.wakeWhenQuiet();
  await bell.clock.tickAsync(0);
  assertEquals(bell.woken(), 1);
});

withTrigger("createTrigger() drops what is pending when it is stopped", async ({ trigger, clock, woken }) => {
  trigger.ring();
  await clock.tickAsync(0);
  trigger.ring();
  trigger.stop();
  assertEquals(clock.countTimers(), WAITING_TIMERS);
  await clock.tickAsync(1_000);
  assertEquals(woken(), 1);
});

withTrigger(
  "createTrigger() asks for the quiet once: a later first change has no second wake",
  async (bell) => {
    bell.trigger.ring();
    await bell.clock.tickAsync(0);
    bell.trigger.wakeWhenQuiet();
    await bell.clock.tickAsync(1_000);
    bell.trigger.ring();
    await bell.clock.tickAsync(1_000);
    assertEquals(bell.woken(), 3);
  },
);

Deno.test("createTrigger() keeps an edge that came before the wait, and one only of many", async () => {
  const clock = install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const trigger = createTrigger(OPTIONS);
    trigger.ring();
    trigger.ring();
    await trigger.next(LONG_MS, new AbortController().signal);
    const woken = listen(trigger);
    await clock.tickAsync(19);
    assertEquals(woken(), 0);
    trigger.stop();
  } finally {
    clock.uninstall();
  }
});
