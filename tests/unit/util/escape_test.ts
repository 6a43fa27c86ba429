import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { asciiJson, escapeLines, escapeText } from "../../../lib/util/escape.ts";
import { anyCharacter } from "../../support/characters.ts";

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
  const text = fc.string({ unit: anyCharacter, maxLength: 20 });
  fc.assert(fc.property(text, text, (a, b) => {
    assertMatch(escapeText(a), /^[\x20-\x7e]*$/);
    assertEquals(escapeText(a) === escapeText(b), a === b);
  }));
});

Deno.test("escapeLines() keeps line breaks, and nothing else that a terminal obeys", () => {
  assertEquals(escapeLines("a\n  ^ \x1b[2J\r\n\u202e"), "a\n  ^ \\x1b[2J\\x0d\n\\u{202e}");
});

Deno.test("asciiJson() gives printable ASCII that reads back as the value", () => {
  const text = fc.string({ unit: anyCharacter, maxLength: 20 });
  fc.assert(fc.property(fc.dictionary(text, fc.oneof(text, fc.jsonValue())), (value) => {
    const json = asciiJson(value);
    assertMatch(json, /^[\x20-\x7e]*$/);
    assertEquals(JSON.parse(json), JSON.parse(JSON.stringify(value)));
  }));
});

Deno.test("asciiJson() writes revisions as numbers, and cuts long texts where it is told to", () => {
  assertEquals(asciiJson({ at: 8n, key: "\ud800" }), '{"at":8,"key":"\\ud800"}');
  assertEquals(asciiJson({ a: "\n\u202e" }, { indent: 2 }), '{\n  "a": "\\n\\u202e"\n}');
  assertEquals(asciiJson(["abcdef"], { maxLength: 3 }), '["abc... (6 characters)"]');
});
