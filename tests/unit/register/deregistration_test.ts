import { assertEquals } from "@std/assert";
import { deregistrationText } from "../../../lib/register/deregistration.ts";

Deno.test("deregistrationText() says why a server may stop", () => {
  assertEquals(
    [
      deregistrationText({ kind: "acknowledged", nodes: ["lb1", "lb2"], tookMs: 120.4 }),
      deregistrationText({ kind: "unregistered" }),
      deregistrationText({ kind: "nobody" }),
      deregistrationText({ kind: "late", nodes: ["lb2"], withoutLease: [] }),
      deregistrationText({ kind: "late", nodes: ["lb2", "lb3"], withoutLease: ["lb3"] }),
      deregistrationText({ kind: "unknown", reason: "Cannot read\x1b[31m" }),
      deregistrationText({ kind: "hurried" }),
    ],
    [
      "drained: acknowledged by lb1, lb2 after 120 ms",
      "leaving at once: not registered",
      "leaving at once: no load-balancer node lives",
      "leaving although lb2 did not acknowledge in time",
      "leaving although lb2, lb3 did not acknowledge in time " +
      "(without a lease, waited for until somebody deletes their keys: lb3)",
      "leaving without an acknowledgement: Cannot read\\x1b[31m",
      "leaving without waiting any longer",
    ],
  );
});
