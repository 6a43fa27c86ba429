import { assertEquals } from "@std/assert";
// @ts-types="../../../types/fake_timers.d.ts"
import { type FakeClock, install } from "@sinonjs/fake-timers";
import { createJournal, type Journal } from "../../../lib/node/journal.ts";

interface TestEvent {
  readonly kind: string;
  readonly service?: string;
  readonly server?: number;
  readonly count?: number;
}

interface Bench {
  readonly journal: Journal<TestEvent>;
  readonly clock: FakeClock;
  /** What the port was told. */
  readonly told: TestEvent[];
}

/** Runs with a journal on a clock of its own. */
function withJournal(name: string, run: (bench: Bench) => Promise<void>): void {
  Deno.test(name, async () => {
    const clock = install({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const told: TestEvent[] = [];
      const journal = createJournal<TestEvent>({
        startId: "s1",
        wall: () => 5_000,
        onEvents: (events) => told.push(...events),
      });
      await run({ journal, clock, told });
      journal.stop();
      assertEquals(clock.countTimers(), 0);
    } finally {
      clock.uninstall();
    }
  });
}

function putMany(journal: Journal<TestEvent>, event: TestEvent, times: number): void {
  for (let server = 0; server < times; server++) journal.put({ ...event, server });
}

function kept(journal: Journal<TestEvent>): TestEvent[] {
  return journal.read(0).entries.map(({ json }) => JSON.parse(json));
}

withJournal(
  "createJournal() keeps 20 of one kind and service, and counts the others of the second",
  async (bench) => {
    const { journal, clock } = bench;
    putMany(journal, { kind: "down", service: "web" }, 1_000);
    assertEquals(kept(journal).map(({ server }) => server), Array.from({ length: 20 }, (_, i) => i));
    await clock.tickAsync(999);
    assertEquals(kept(journal).length, 20);
    await clock.tickAsync(1);
    assertEquals(kept(journal).slice(20), [{ kind: "down", service: "web", count: 980 }]);
  },
);

withJournal("createJournal() counts each kind and service for itself", async ({ journal, clock }) => {
  for (const [kind, service] of [["down", "web"], ["up", "web"], ["down", "api"], ["down", undefined]]) {
    putMany(journal, { kind: kind ?? "", ...(service === undefined ? {} : { service }) }, 21);
  }
  await clock.tickAsync(1_000);
  assertEquals(kept(journal).slice(80), [
    { kind: "down", service: "web", count: 1 },
    { kind: "down", service: "api", count: 1 },
    { kind: "down", count: 1 },
    { kind: "up", service: "web", count: 1 },
  ]);
});

withJournal("createJournal() counts an event with a count for as many", async ({ journal, clock }) => {
  journal.put({ kind: "down", service: "web", count: 500 });
  putMany(journal, { kind: "down", service: "web" }, 19);
  journal.put({ kind: "down", service: "web", count: 7 });
  journal.put({ kind: "down", service: "web" });
  await clock.tickAsync(1_000);
  const [first, last] = [kept(journal)[0], kept(journal).at(-1)];
  assertEquals([first?.count, last?.count, kept(journal).length], [500, 8, 21]);
});

withJournal("createJournal() begins a new second with single events", async ({ journal, clock }) => {
  putMany(journal, { kind: "down", service: "web" }, 20);
  await clock.tickAsync(1_000);
  assertEquals(clock.countTimers(), 0);
  putMany(journal, { kind: "down", service: "web" }, 20);
  assertEquals(kept(journal).filter(({ count }) => count === undefined).length, 40);
});

withJournal("createJournal() tells its port each event at once, also those that it counts", async (bench) => {
  putMany(bench.journal, { kind: "down", service: "web" }, 100);
  assertEquals(bench.told.length, 100);
  await bench.clock.tickAsync(1_000);
  assertEquals(bench.told.length, 100);
});

withJournal(
  "createJournal() calls its listeners for what is kept, until they leave",
  async ({ journal, clock }) => {
    let calls = 0;
    const leave = journal.subscribe(() => calls++);
    putMany(journal, { kind: "down", service: "web" }, 30);
    assertEquals(calls, 20);
    await clock.tickAsync(1_000);
    assertEquals(calls, 21);
    leave();
    journal.put({ kind: "reload" });
    assertEquals(calls, 21);
  },
);

withJournal("createJournal() keeps what it has counted when it is stopped, and nothing later", (bench) => {
  const { journal, clock, told } = bench;
  putMany(journal, { kind: "down", service: "web" }, 25);
  journal.stop();
  assertEquals([kept(journal).at(-1)?.count, clock.countTimers()], [5, 0]);
  journal.put({ kind: "reload" });
  assertEquals([kept(journal).length, told.length, clock.countTimers()], [21, 26, 0]);
  return Promise.resolve();
});

withJournal("createJournal() locates an id of its own, of another start, and none", ({ journal }) => {
  putMany(journal, { kind: "reload" }, 3);
  assertEquals(journal.locate(), { kind: "after", number: 0, isRestarted: false });
  assertEquals(journal.locate("s1-3"), { kind: "after", number: 3, isRestarted: false });
  assertEquals(journal.locate("s0-900"), { kind: "after", number: 0, isRestarted: true });
  assertEquals(journal.locate("s1-4").kind, "malformed");
  assertEquals(journal.locate("3").kind, "malformed");
  return Promise.resolve();
});
