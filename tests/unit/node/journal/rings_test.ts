import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createRings } from "../../../../lib/node/journal/rings.ts";

const SMALL = {
  ofServices: { maxItems: 6, maxBytes: 400 },
  ofOthers: { maxItems: 3, maxBytes: 200 },
};

const event = fc.record({
  kind: fc.constantFrom("step", "reload"),
  service: fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
  text: fc.string({ maxLength: 60 }),
});

function numbers(entries: readonly { readonly number: number }[]): number[] {
  return entries.map(({ number }) => number);
}

Deno.test("createRings() returns what it has in the order of numbers; what it lost makes up the rest", () => {
  fc.assert(fc.property(fc.array(event, { maxLength: 40 }), fc.nat(40), (events, from) => {
    const rings = createRings(SMALL);
    for (const [at, each] of events.entries()) rings.push(each, at);
    const after = Math.min(from, events.length);
    const page = rings.after(after);
    assertEquals(numbers(page.entries), numbers(page.entries).toSorted((a, b) => a - b));
    assertEquals(page.entries.length + page.lost, events.length - after);
    assertEquals([page.next, rings.last()], [events.length, events.length]);
    for (const { number, at, kind, json } of page.entries) {
      assertEquals([at, kind, JSON.parse(json).kind], [number - 1, events[at]?.kind, kind]);
    }
  }));
});

Deno.test("createRings() read in pieces gives what it gives at once", () => {
  fc.assert(fc.property(
    fc.array(event, { maxLength: 40 }),
    fc.integer({ min: 1, max: 5 }),
    (events, limit) => {
      const rings = createRings(SMALL);
      for (const each of events) rings.push(each, 0);
      const whole = rings.after(0);
      const [entries, lost] = readInPieces(rings, limit);
      assertEquals([entries, lost], [numbers(whole.entries), whole.lost]);
    },
  ));
});

function readInPieces(rings: ReturnType<typeof createRings>, limit: number): [number[], number] {
  const entries: number[] = [];
  let [position, lost] = [0, 0];
  while (position < rings.last()) {
    const page = rings.after(position, limit);
    assert(page.entries.length <= limit && page.next > position);
    entries.push(...numbers(page.entries));
    lost += page.lost;
    position = page.next;
  }
  return [entries, lost];
}

Deno.test("createRings() keeps what is in one ring during a flood of large events in the other", () => {
  const rings = createRings();
  const large = { a: "x".repeat(200), b: "x".repeat(700) };
  for (let i = 0; i < 1_024; i++) rings.push({ kind: "reload", ...large }, i);
  for (let i = 0; i < 6_000; i++) {
    rings.push({ kind: "step", service: "web", ...large }, i);
    if (i % 500 === 0) rings.settle();
  }
  const { entries, lost } = rings.after(0);
  assertEquals(entries.filter(({ kind }) => kind === "reload").length, 1_024);
  const bytes = entries.reduce((sum, { json }) => sum + json.length, 0);
  assert(bytes <= 4 << 20 && bytes > 3 << 20, `${bytes} bytes`);
  assertEquals(entries.length + lost, 7_024);
});

Deno.test("createRings() says that nothing was lost where nothing was put in", () => {
  assertEquals(createRings().after(0), { entries: [], lost: 0, next: 0 });
});
