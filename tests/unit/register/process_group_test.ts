import { assertEquals } from "@std/assert";
import { runsIn } from "../../../lib/register/process_group.ts";

const line = (name: string, state: string, group: number) =>
  `${group + 1} (${name}) ${state} 1 ${group} 7 0 -1 4 0\n`;

Deno.test("runsIn() counts who runs, sleeps or is stopped", () => {
  for (const state of ["R", "S", "D", "T"]) assertEquals(runsIn(50, line("server", state, 50)), true, state);
});

Deno.test("runsIn() does not count who has ended and waits for a parent that asks", () => {
  assertEquals(runsIn(50, line("server", "Z", 50) + line("sh", "S", 5)), false);
});

Deno.test("runsIn() counts who runs beside one that has ended", () => {
  assertEquals(runsIn(50, line("sh", "Z", 50) + line("server", "S", 50)), true);
});

Deno.test("runsIn() does not count other groups", () => {
  assertEquals(runsIn(50, line("sh", "S", 5) + line("sh", "S", 500)), false);
});

Deno.test("runsIn() is not misled by what a process is called", () => {
  const name = "a) Z 1 50 (b\n) S 1 9 c";
  assertEquals(runsIn(50, line(name, "S", 5)), false);
  assertEquals(runsIn(50, line(name, "S", 50)), true);
});

Deno.test("runsIn() takes those for running of whom nothing is told", () => {
  assertEquals(runsIn(50, ""), true);
});
