import { assertEquals } from "@std/assert";
import { Chapter } from "../../../support/mod.ts";
import { failuresNotAllowed, type Result } from "../../../../tools/demo/result.ts";

Deno.test("failuresNotAllowed() allows no failure where nothing was killed", () => {
  assertEquals(failuresNotAllowed(chapterWith([1, 2])), 2);
});

Deno.test("failuresNotAllowed() allows those in flight at the kill, and none that started after it", () => {
  const result = chapterWith([98, 99, 101]);
  assertEquals(failuresNotAllowed({ ...result, kill: { at: 100, connections: 16 } }), 1);
});

Deno.test("failuresNotAllowed() allows no more than there were connections", () => {
  const result = chapterWith([97, 98, 99]);
  assertEquals(failuresNotAllowed({ ...result, kill: { at: 100, connections: 2 } }), 1);
});

/** A chapter with a failed request for each of these start times. */
function chapterWith(starts: readonly number[]): Result {
  const chapter = new Chapter("a chapter", ["lb1"], 100);
  for (const startedAt of starts) {
    chapter.addFailure({ target: "lb1", kind: "reset", startedAt, endedAt: startedAt + 10 });
  }
  return { title: "A chapter", chapter };
}
