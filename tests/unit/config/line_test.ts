import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { configWords, quoteFormat, quoteWord } from "../../../lib/config/line.ts";
import { parseNotices, runHaproxyCheck, withHaproxy } from "../haproxy_check.ts";
import { anyCharacter } from "../../support/characters.ts";

const lines: Record<string, [line: string, words: string[]]> = {
  "plain words": ["  server a 10.0.0.5:80\tweight 3 ", ["server", "a", "10.0.0.5:80", "weight", "3"]],
  "nothing": ["   ", []],
  "a carriage return at the end": ["balance roundrobin\r", ["balance", "roundrobin"]],
  "a comment": ["mode http # really", ["mode", "http"]],
  "a comment without space before it": ["mode http#really", ["mode", "http"]],
  "a line that is a comment": ["# mode http", []],
  "single quotes": ["acl a path '/x y' '#' '\\d'", ["acl", "a", "path", "/x y", "#", "\\d"]],
  "double quotes": ['log-format "a # \\"b\\""', ["log-format", 'a # "b"']],
  "quotes within a word": ["a'b c'd", ["ab cd"]],
  "an empty quoted word": ["a '' b", ["a", "", "b"]],
  "a quote of the other kind": [`a "it's"`, ["a", "it's"]],
  "an escaped space and an escaped comment": ["a b\\ c \\#d", ["a", "b c", "#d"]],
  "an escaped backslash": ["a\\\\ b", ["a\\", "b"]],
  "variables as they are written": ['a "${HOME}" $HOME', ["a", "${HOME}", "$HOME"]],
};

for (const [what, [line, words]] of Object.entries(lines)) {
  Deno.test(`configWords() reads ${what}`, () => assertEquals(configWords(line), words));
}

Deno.test("configWords() reads plain words as it does with a comment behind them", () => {
  const line = fc.string({ unit: fc.constantFrom(..."ab.:-/$ \t\r"), maxLength: 30 });
  fc.assert(fc.property(line, (line) => assertEquals(configWords(`${line} # '"`), configWords(line))));
});

const anyWord = fc.string({ unit: anyCharacter, maxLength: 30 }).filter((text) => !/[\0\n\r]/.test(text));
const hostileWord = fc.string({ unit: fc.constantFrom(..."a$'\"\\#; \t{}nx0"), maxLength: 20 });

Deno.test("quoteWord() writes any text as one word", () => {
  fc.assert(fc.property(fc.oneof(anyWord, hostileWord), (text) => {
    assertEquals(configWords(`http-check send uri ${quoteWord(text)} ver`)[3], text);
    assertEquals(configWords(quoteWord(text)), [text]);
  }));
});

Deno.test("quoteWord() leaves a plain word without quotes", () => {
  assertEquals(quoteWord("/run/lb-1/a.sock,mode=600"), "/run/lb-1/a.sock,mode=600");
});

Deno.test("quoteWord() quotes what might be a variable, and an empty text", () => {
  assertEquals([quoteWord("$HOME"), quoteWord("${HOME}"), quoteWord("")], ["'$HOME'", "'${HOME}'", "''"]);
});

for (const [name, character] of [["a line feed", "\n"], ["a carriage return", "\r"], ["NUL", "\0"]]) {
  Deno.test(`quoteWord() refuses ${name}, which no word can hold`, () => {
    assertThrows(() => quoteWord(`a${character}b`), TypeError, "holds a line break or NUL");
  });
}

withHaproxy("quoteWord() writes what HAProxy reads as the same word", async (haproxy) => {
  const words = fc.sample(hostileWord, { numRuns: 200, seed: 1 }).filter((word) => word.trim() !== "");
  const text = words.map((word) => `.notice ${quoteWord(word)}`).join("\n");
  const { output } = await runHaproxyCheck(haproxy, `${text}\n`);
  assertEquals(parseNotices(output), words);
});

withHaproxy("configWords() reads quotes and escapes as HAProxy does", async (haproxy) => {
  const words = [
    "a\\d",
    '"a\\d"',
    '"a\\$b"',
    "'a\\d'",
    '"a\\\\b"',
    '"a\\\'b"',
    "'a\\'",
    "a\\ b",
    'a\\"b',
    "a\\#b",
  ];
  const { output } = await runHaproxyCheck(haproxy, words.map((word) => `.notice ${word}`).join("\n") + "\n");
  assertEquals(words.map((word) => configWords(word)[0]), parseNotices(output));
});

Deno.test("quoteFormat() leaves a log format nothing to replace", () => {
  assertEquals([quoteFormat("a%20b %[src]"), quoteFormat("web")], ["'a%%20b %%[src]'", "web"]);
});
