import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { escapeText } from "../../lib/escape.ts";

const escaped: Record<string, [text: string, shown: string]> = {
  "plain text as it is": ['10.0.0.5:80 "x" #', '10.0.0.5:80 "x" #'],
  "a line break": ["a\nb\r", "a\\x0ab\\x0d"],
  "a terminal's escape sequence": ["\x1b[31m\x9b31m", "\\x1b[31m\\x9b31m"],
  "NUL and DEL": ["\0\x7f", "\\x00\\x7f"],
  "bytes of a latin1 key": ["/services/\xff", "/services/\\xff"],
  "characters beyond latin1": ["\u202e\u{1f600}", "\\u{202e}\\u{1f600}"],
  "half of a surrogate pair": ["\ud83d", "\\u{d83d}"],
  "a backslash, so that nothing looks escaped that is not": ["\\x0a", "\\\\x0a"],
};

for (const [what, [text, shown]] of Object.entries(escaped)) {
  Deno.test(`escapeText() shows ${what}`, () => assertEquals(escapeText(text), shown));
}

Deno.test("escapeText() cuts a long text and tells its length", () => {
  assertEquals(escapeText("abcdef", 3), "abc... (6 characters)");
  assertEquals(escapeText("abc", 3), "abc");
});

Deno.test("escapeText() gives printable ASCII for any text, and never the same for two", () => {
  const text = fc.string({ unit: "binary", maxLength: 20 });
  fc.assert(fc.property(text, text, (a, b) => {
    assertMatch(escapeText(a), /^[\x20-\x7e]*$/);
    assertEquals(escapeText(a) === escapeText(b), a === b);
  }));
});
