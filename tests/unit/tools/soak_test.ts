import { assertEquals, assertNotEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { seededRandom } from "../../../tools/soak/random.ts";
import { judge, type Sample, verdictTable } from "../../../tools/soak/verdict.ts";

function sampleOf(changes: Partial<Sample> = {}): Sample {
  return {
    "controller memory (MiB)": 100,
    "controller file descriptors": 30,
    "controller processes": 1,
    "HAProxy memory (MiB)": 20,
    "HAProxy file descriptors": 40,
    "HAProxy processes": 2,
    ...changes,
  };
}

/** Three samples a third, the last third changed. */
function growing(changes: Partial<Sample>): Sample[] {
  return [...Array(6).fill(sampleOf()), ...Array(3).fill(sampleOf(changes))];
}

const steady = (samples: readonly Sample[]) =>
  judge(samples).filter((row) => !row.isSteady).map((row) => row.measure);

Deno.test("judge() finds nothing in samples that stay", () => assertEquals(steady(growing({})), []));

Deno.test("judge() allows 10 % more memory, and no more", () => {
  assertEquals(steady(growing({ "controller memory (MiB)": 110 })), []);
  assertEquals(steady(growing({ "controller memory (MiB)": 111 })), ["controller memory (MiB)"]);
});

Deno.test("judge() allows some more of what is counted in ones", () => {
  assertEquals(steady(growing({ "controller file descriptors": 34, "HAProxy processes": 3 })), []);
  assertEquals(steady(growing({ "controller file descriptors": 35, "HAProxy processes": 4 })), [
    "controller file descriptors",
    "HAProxy processes",
  ]);
});

Deno.test("judge() takes no notice of a single high sample", () => {
  const samples = growing({});
  samples[8] = sampleOf({ "HAProxy memory (MiB)": 400 });
  assertEquals(steady(samples), []);
});

Deno.test("judge() cannot judge less than three samples", () => {
  assertThrows(() => judge([sampleOf(), sampleOf()]), Error, "Cannot judge 2 samples");
});

Deno.test("verdictTable() marks what grows", () => {
  assertStringIncludes(verdictTable(judge(growing({ "HAProxy memory (MiB)": 30 }))), "1.50 (grows)");
});

Deno.test("seededRandom() gives the same numbers for the same seed, within the bounds", () => {
  const numbers = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 50 }, () => random.between(3, 7));
  };
  assertEquals(numbers(5), numbers(5));
  assertNotEquals(numbers(5), numbers(6));
  assertEquals([...new Set(numbers(5))].sort(), [3, 4, 5, 6, 7]);
});
