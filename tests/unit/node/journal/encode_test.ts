import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { encodeEvent } from "../../../../lib/node/journal/encode.ts";

function encoded(fields: Record<string, unknown>) {
  return JSON.parse(encodeEvent({ kind: "step", ...fields }));
}

Deno.test("encodeEvent() leaves a small event as it is", () => {
  const event = {
    kind: "step",
    service: "web",
    server: "a-1",
    ok: true,
    revision: 7,
    steps: ["add server web/a"],
  };
  assertEquals(JSON.parse(encodeEvent(event)), event);
});

Deno.test("encodeEvent() escapes control characters and all that is not ASCII, also in lists", () => {
  assertEquals(encoded({ reason: 'a\n"\x1b\u202e\xe9\\' }).reason, 'a\\x0a"\\x1b\\u{202e}\\xe9\\\\');
  assertEquals(encoded({ steps: ["\x1b", "\xe9"] }).steps, ["\\x1b", "\\xe9"]);
});

Deno.test("encodeEvent() cuts a long string and says how long it was", () => {
  const { reason } = encoded({ reason: "x".repeat(5_000) });
  assertEquals(reason, `${"x".repeat(800)}... (5000 characters)`);
  assertEquals(encoded({ reason: "x".repeat(800) }).reason, "x".repeat(800));
});

Deno.test("encodeEvent() shortens a long list and says how many items it had", () => {
  const { steps } = encoded({ steps: Array.from({ length: 10_000 }, (_, i) => `s${i}`) });
  assertEquals([steps.length, steps[0], steps.at(-1)], [41, "s0", "... (10000 items)"]);
});

Deno.test("encodeEvent() drops the fields of an event that does not fit even when they are shortened", () => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`field${i}`, i]));
  assertEquals(encoded({ service: "web", count: 3, ...many }), {
    kind: "step",
    service: "web",
    count: 3,
    cut: true,
  });
});

Deno.test("encodeEvent() makes JSON of at most 1 KiB in printable ASCII of whatever it is given", () => {
  const text = fc.string({ unit: "binary", maxLength: 250 });
  const value = fc.oneof(text, fc.integer(), fc.boolean(), fc.array(text, { maxLength: 50 }));
  const fields = fc.record({ service: fc.option(text, { nil: undefined }), value, other: value });
  fc.assert(
    fc.property(text, fields, (kind, rest) => {
      const json = encodeEvent({ kind, ...rest });
      assertMatch(json, /^[\x20-\x7e]*$/);
      assert(json.length <= 1_024, `${json.length} bytes`);
      assertEquals(typeof JSON.parse(json).kind, "string");
    }),
    { numRuns: 50 },
  );
});
