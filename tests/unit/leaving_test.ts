import { assertEquals } from "@std/assert";
import { leavingText } from "../../lib/leaving.ts";

Deno.test("leavingText() says why a server may stop", () => {
  assertEquals(
    [
      leavingText({ kind: "acknowledged", nodes: ["lb1", "lb2"], tookMs: 120.4 }),
      leavingText({ kind: "unregistered" }),
      leavingText({ kind: "nobody" }),
      leavingText({ kind: "late", nodes: ["lb2"] }),
      leavingText({ kind: "unknown", reason: "Cannot read\x1b[31m" }),
      leavingText({ kind: "hurried" }),
    ],
    [
      "drained: acknowledged by lb1, lb2 after 120 ms",
      "leaving at once: not registered",
      "leaving at once: no load-balancer node lives",
      "leaving although lb2 did not acknowledge in time",
      "leaving without an acknowledgement: Cannot read\\x1b[31m",
      "leaving without waiting any longer",
    ],
  );
});
