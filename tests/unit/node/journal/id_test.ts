import { assertEquals, assertMatch } from "@std/assert";
import { eventJson, formatId, parseId, startIdOf } from "../../../../lib/node/journal/id.ts";

Deno.test("parseId() reads what formatId() wrote with an id of startIdOf()", () => {
  for (const random of [0, 0.5, 0.9999999]) {
    const startId = startIdOf({ at: 1_790_000_000_000, random });
    assertMatch(startId, /^[a-z0-9]{10}$/);
    assertEquals(parseId(formatId(startId, 17)), { startId, number: 17 });
  }
});

for (
  const text of ["", "7", "s1-", "-7", "s1-x", "s1--7", "S1-7", "s1-7 ", "s1-1e3", "s1-9999999999999999"]
) {
  Deno.test(`parseId() refuses ${JSON.stringify(text)}`, () => {
    assertEquals(parseId(text), undefined);
  });
}

Deno.test("eventJson() puts id and time in front of the event", () => {
  const json = eventJson("s1", { number: 3, at: 0, kind: "reload", json: '{"kind":"reload"}' });
  assertEquals(json, '{"id":"s1-3","at":"1970-01-01T00:00:00.000Z","kind":"reload"}');
});
