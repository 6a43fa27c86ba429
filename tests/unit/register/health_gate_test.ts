import { assertEquals } from "@std/assert";
import { checkDelayMs, CLOSED_GATE, nextGate } from "../../../lib/register/health_gate.ts";

const COUNTS = { rise: 2, fall: 3 };

/** The state of the gate after each check: `P` passes, `f` fails. */
function play(checks: string): string {
  let gate = CLOSED_GATE;
  return [...checks].map((check) => {
    gate = nextGate(gate, check === "P", COUNTS);
    return gate.open ? "o" : "-";
  }).join("");
}

Deno.test("nextGate() opens after so many passes in a row, and closes after so many failures in a row", () => {
  assertEquals(
    ["PP", "PfPP", "PPff", "PPfff", "PPffPff", "PPfffPP"].map(play),
    ["-o", "---o", "-ooo", "-ooo-", "-oooooo", "-ooo--o"],
  );
});

Deno.test("checkDelayMs() checks more often while the gate is closed or may close", () => {
  assertEquals(checkDelayMs({ open: true, against: 0 }, 2_000), 2_000);
  assertEquals(checkDelayMs({ open: true, against: 1 }, 2_000), 500);
  assertEquals(checkDelayMs(CLOSED_GATE, 2_000), 500);
});
