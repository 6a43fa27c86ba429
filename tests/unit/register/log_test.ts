import { assertEquals } from "@std/assert";
import { deregistrationText, logRegister, ownerText } from "../../../lib/register/log.ts";
import type { RegisterEvent } from "../../../lib/register/events.ts";
import { ControllerError } from "../../../lib/util/errors.ts";
import { capturedLog } from "../captured_log.ts";

const KEY = "/services/backend/web1-8080";
const error = new Error("14 UNAVAILABLE\nno connection");

async function logged(...events: RegisterEvent[]) {
  const lines = await capturedLog(() => events.forEach((event) => logRegister(event, KEY)));
  return lines.map(({ level, message, fields }) => [level, message, fields]);
}

Deno.test("logRegister() tells the first failure of a call and its end, none in between", async () => {
  const failing = (attempt: number) =>
    ({ kind: "failing", call: "renew", error, attempt, retryInMs: 100 }) as const;
  assertEquals(await logged(failing(1), failing(2), { kind: "recovered", call: "renew", attempts: 2 }), [
    ["warning", "etcd does not answer, retrying", {
      key: KEY,
      call: "renew",
      reason: "14 UNAVAILABLE; no connection",
    }],
    ["info", "etcd answers again", { key: KEY, attempts: 2 }],
  ]);
  const refused = new ControllerError("operator", "no permission");
  const [[, message] = []] = await logged({ ...failing(1), error: refused });
  assertEquals(message, "etcd refuses, retrying");
});

Deno.test("logRegister() tells a registration with its revision, and how its key went", async () => {
  assertEquals(
    await logged(
      { kind: "registered", leaseId: "7", revision: 12n },
      { kind: "removed", revision: 13n },
      { kind: "expiring", error },
    ),
    [
      ["info", "registered", { key: KEY, revision: 12n }],
      ["info", "registration removed", { key: KEY }],
      ["warning", "registration not removed, it expires with its lease", {
        key: KEY,
        reason: "14 UNAVAILABLE; no connection",
      }],
    ],
  );
});

Deno.test("logRegister() tells once that etcd is waited for", async () => {
  const lines = await logged({ kind: "unreachable", error, attempt: 1 }, {
    kind: "unreachable",
    error,
    attempt: 2,
  });
  assertEquals(lines, [
    ["warning", "waiting for etcd, serving meanwhile", { reason: "14 UNAVAILABLE; no connection" }],
  ]);
});

Deno.test("logRegister() warns when nodes have not acknowledged", async () => {
  const [fine, late] = await logged(
    { kind: "drained", end: { kind: "acknowledged", nodes: ["lb1"], tookMs: 10 } },
    { kind: "drained", end: { kind: "late", nodes: ["lb2"], withoutLease: [] } },
  );
  assertEquals([fine?.[0], late?.[0]], ["info", "warning"]);
});

Deno.test("ownerText() names a lease as etcdctl does", () => {
  assertEquals(ownerText("7587854862389345804"), "lease 694d79cb8feffe0c owns it");
  assertEquals(ownerText("255"), "lease 00000000000000ff owns it");
  assertEquals(ownerText("0"), "the key exists without a lease");
});

Deno.test("deregistrationText() says why a server may stop", () => {
  assertEquals(
    [
      deregistrationText({ kind: "acknowledged", nodes: ["lb1", "lb2"], tookMs: 120 }),
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
      "leaving at once: no load-balancer node is alive",
      "leaving although lb2 did not acknowledge in time",
      "leaving although lb2, lb3 did not acknowledge in time " +
      "(keys without a lease count until they are deleted: lb3)",
      "leaving without an acknowledgement: Cannot read\\x1b[31m",
      "leaving without further waiting",
    ],
  );
});
