import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createRing } from "../../../../lib/node/journal/ring.ts";

const put = fc.record({ gap: fc.integer({ min: 1, max: 3 }), size: fc.integer({ min: 0, max: 30 }) });

Deno.test("createRing() keeps the newest items in order, within both bounds, and no fewer", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 8 }),
    fc.integer({ min: 0, max: 60 }),
    fc.array(put, { maxLength: 40 }),
    (maxItems, maxBytes, puts) => {
      const ring = createRing<{ number: number; size: number }>({
        maxItems,
        maxBytes,
        sizeOf: ({ size }) => size,
      });
      let number = 0;
      let expected: { number: number; size: number }[] = [];
      for (const { gap, size } of puts) {
        number += gap;
        expected.push({ number, size });
        ring.push({ number, size });
        const bytes = () => expected.reduce((sum, item) => sum + item.size, 0);
        while (expected.length > maxItems || (expected.length > 1 && bytes() > maxBytes)) {
          expected = expected.slice(1);
        }
        assertEquals(ring.after(0, Infinity), expected);
      }
      for (let after = 0; after <= number; after++) {
        const later = expected.filter((item) => item.number > after);
        assertEquals(ring.after(after, 3), later.slice(0, 3));
      }
      assert(expected.length <= maxItems);
    },
  ));
});
