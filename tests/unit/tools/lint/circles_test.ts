import { assertEquals } from "@std/assert";
import { circlesOf } from "../../../../tools/lint/circles.ts";

Deno.test("circlesOf() finds none where imports go one way", () => {
  const graph = new Map([["a", ["b", "c"]], ["b", ["c"]], ["c", []]]);
  assertEquals(circlesOf(graph), []);
});

Deno.test("circlesOf() names the way of a circle, also of one that is entered from outside", () => {
  const graph = new Map([["a", ["b"]], ["b", ["c"]], ["c", ["d"]], ["d", ["b"]]]);
  assertEquals(circlesOf(graph), [["b", "c", "d", "b"]]);
});

Deno.test("circlesOf() finds a file that imports itself", () => {
  assertEquals(circlesOf(new Map([["a", ["a"]]])), [["a", "a"]]);
});
