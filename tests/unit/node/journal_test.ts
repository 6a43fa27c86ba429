import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
// @ts-types="../../../types/fake_timers.d.ts"
import { type FakeClock, install } from "@sinonjs/fake-timers";
import { createJournal, type Journal, startIdOf } from "../../../lib/node/journal.ts";

interface TestEvent {
  readonly kind: string;
  readonly service?: string;
  readonly server?: number;
  readonly count?: number;
}

interface Bench {
  readonly journal: Journal;
  readonly clock: FakeClock;
}

/** Runs with a journal on a clock of its own. */
function withJournal(name: string, run: (bench: Bench) => Promise<void>): void {
  Deno.test(name, async () => {
    const clock = install({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const journal = createJournal({ startId: "s1", wall: () => 5_000 });
      await run({ journal, clock });
      journal.stop();
      assertEquals(clock.countTimers(), 0);
    } finally {
      clock.uninstall();
    }
  });
}

function putMany(journal: Journal, event: TestEvent, times: number): void {
  journal.put(Array.from({ length: times }, (_, server) => ({ ...event, server })));
}

/** The events that a journal has, without ids and times. */
function kept(journal: Journal): TestEvent[] {
  return journal.read()?.events.map(({ json }) => {
    const { id: _id, at: _at, ...event } = JSON.parse(json);
    return event;
  }) ?? [];
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
    { kind: "up", service: "web", count: 1 },
    { kind: "down", service: "api", count: 1 },
    { kind: "down", count: 1 },
  ]);
});

withJournal("createJournal() counts an event with a count for as many", async ({ journal, clock }) => {
  journal.put([{ kind: "down", service: "web", count: 500 }]);
  putMany(journal, { kind: "down", service: "web" }, 19);
  journal.put([{ kind: "down", service: "web", count: 7 }]);
  journal.put([{ kind: "down", service: "web" }]);
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

withJournal(
  "createJournal() calls its listeners for what is kept, until they leave",
  async ({ journal, clock }) => {
    let calls = 0;
    const leave = journal.subscribe(() => calls++);
    putMany(journal, { kind: "down", service: "web" }, 30);
    putMany(journal, { kind: "down", service: "web" }, 30);
    assertEquals(calls, 1);
    await clock.tickAsync(1_000);
    assertEquals(calls, 2);
    leave();
    journal.put([{ kind: "reload" }]);
    assertEquals(calls, 2);
  },
);

withJournal("createJournal() keeps what it has counted when it is stopped, and nothing later", (bench) => {
  const { journal, clock } = bench;
  putMany(journal, { kind: "down", service: "web" }, 25);
  journal.stop();
  assertEquals([kept(journal).at(-1)?.count, clock.countTimers()], [5, 0]);
  journal.put([{ kind: "reload" }]);
  assertEquals([kept(journal).length, clock.countTimers()], [21, 0]);
  return Promise.resolve();
});

withJournal("createJournal() stamps an event with its id and time", ({ journal }) => {
  journal.put([{ kind: "reload" }]);
  const json = '{"id":"s1-1","at":"1970-01-01T00:00:05.000Z","kind":"reload"}';
  assertEquals(journal.read()?.events, [{ number: 1, id: "s1-1", kind: "reload", json }]);
  return Promise.resolve();
});

withJournal("createJournal() reads after an id of its own, of another start, and none", ({ journal }) => {
  putMany(journal, { kind: "reload" }, 3);
  const places = [undefined, "s1-0", "s1-2", "s1-3", "s0-900"].map((after) => {
    const page = journal.read(after);
    return [page?.events.length, page?.lost, page?.next, page?.restarted];
  });
  assertEquals(places, [
    [3, 0, "s1-3", false],
    [3, 0, "s1-3", false],
    [1, 0, "s1-3", false],
    [0, 0, "s1-3", false],
    [3, 0, "s1-3", true],
  ]);
  return Promise.resolve();
});

for (
  const id of [
    "",
    "7",
    "s1-",
    "-7",
    "s1-x",
    "s1--7",
    "S1-7",
    "s1-1 ",
    "s1-1e3",
    "s1-9999999999999999",
    "s1-4",
  ]
) {
  withJournal(`createJournal() knows no event of the id ${JSON.stringify(id)}`, ({ journal }) => {
    putMany(journal, { kind: "reload" }, 3);
    assertEquals(journal.read(id), undefined);
    return Promise.resolve();
  });
}

Deno.test("startIdOf() makes the start of an id that a journal can read", () => {
  for (const random of [0, 0.5, 0.9999999]) {
    const startId = startIdOf({ at: 1_790_000_000_000, random });
    assertMatch(startId, /^[a-z0-9]{10}$/);
    const journal = createJournal({ startId, wall: () => 0 });
    journal.put([{ kind: "reload" }]);
    journal.stop();
    assertEquals(journal.read(`${startId}-1`)?.next, `${startId}-1`);
  }
});

/** A journal that has lost events of each ring: kinds of their own are single events. */
function flooded(events: readonly TestEvent[]): Journal {
  const journal = createJournal({ startId: "s1", wall: () => 0 });
  journal.put(events);
  journal.stop();
  return journal;
}

Deno.test("createJournal() keeps what is in one ring during a flood of large events in the other", () => {
  const large = { a: "x".repeat(200), b: "x".repeat(700) };
  const others = Array.from({ length: 1_024 }, (_, i) => ({ kind: `reload-${i}`, ...large }));
  const services = Array.from({ length: 6_000 }, (_, i) => ({ kind: `step-${i}`, service: "web", ...large }));
  const page = flooded([...others, ...services]).read();
  assert(page);
  assertEquals(page.events.filter(({ kind }) => kind.startsWith("reload")).length, 1_024);
  const bytes = page.events.reduce((sum, { json }) => sum + json.length, 0);
  assert(bytes <= 4 << 20 && bytes > 3 << 20, `${bytes} bytes`);
  assertEquals(page.events.length + page.lost, 7_024);
});

Deno.test("createJournal() read in pieces gives what it gives at once, in the order of numbers", () => {
  const events = Array.from({ length: 8_000 }, (_, i) => ({
    kind: `kind-${i}`,
    ...(i % 3 === 0 ? {} : { service: "web" }),
  }));
  const journal = flooded(events);
  const whole = journal.read();
  assert(whole && whole.lost > 0);
  const ids = whole.events.map(({ id }) => id);
  const numbers = whole.events.map(({ number }) => number);
  assertEquals(numbers, numbers.toSorted((a, b) => a - b));
  assertEquals(whole.events.length + whole.lost, 8_000);
  fc.assert(
    fc.property(fc.integer({ min: 500, max: 4_000 }), (limit) => {
      const [read, lost] = readInPieces(journal, limit);
      assertEquals([read, lost], [ids, whole.lost]);
    }),
    { numRuns: 10 },
  );
});

function readInPieces(journal: Journal, limit: number): [string[], number] {
  const ids: string[] = [];
  let [place, lost] = ["s1-0", 0];
  for (;;) {
    const page = journal.read(place, limit);
    assert(page && page.events.length <= limit);
    if (page.next === place) return [ids, lost];
    ids.push(...page.events.map(({ id }) => id));
    lost += page.lost;
    place = page.next;
  }
}
