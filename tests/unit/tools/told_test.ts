import { assertEquals, assertThrows } from "@std/assert";
import { tellsOf } from "../../support/told.ts";

const LINES = [
  "2026-01-01T00:00:00.000Z INFO    haproxy started pid=7",
  '2026-01-01T00:00:01.000Z ERROR   haproxy socket missing, recreating it process=worker reason="no answer"',
];

Deno.test("tellsOf() finds a problem by the line that tells of its beginning", () => {
  assertEquals(tellsOf(LINES, "runtime-socket-lost"), true);
  assertEquals(tellsOf(LINES, "runtime-socket-lost", "no answer"), true);
  assertEquals(tellsOf(LINES, "runtime-socket-lost", "refused"), false);
  assertEquals(tellsOf(LINES, "master-socket-lost"), false);
});

Deno.test("tellsOf() refuses a problem that no line tells of", () => {
  assertThrows(() => tellsOf(LINES, "pass-slow"), Error, "Cannot wait for pass-slow");
});
