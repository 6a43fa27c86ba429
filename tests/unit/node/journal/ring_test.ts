import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { createRing, type KeptEvent } from "../../../../lib/node/journal/ring.ts";

const put = fc.record({ gap: fc.integer({ min: 1, max: 3 }), size: fc.integer({ min: 0, max: 30 }) });

Deno.test("createRing() keeps the newest events in order, within both bounds, and no fewer", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 8 }),
    fc.integer({ min: 0, max: 60 }),
    fc.array(put, { maxLength: 40 }),
    (maxEvents, maxBytes, puts) => {
      const ring = createRing({ maxEvents, maxBytes });
      let number = 0;
      let expected: KeptEvent[] = [];
      for (const { gap, size } of puts) {
        number += gap;
        const event = { number, id: `s1-${number}`, kind: "step", json: "x".repeat(size) };
        expected.push(event);
        ring.push(event);
        const bytes = () => expected.reduce((sum, { json }) => sum + json.length, 0);
        while (expected.length > maxEvents || bytes() > maxBytes) expected = expected.slice(1);
        assertEquals(ring.after(0), expected);
      }
      for (let after = 0; after <= number; after++) {
        assertEquals(ring.after(after), expected.filter((event) => event.number > after));
      }
    },
  ));
});
