import { assertEquals } from "@std/assert";
import { describeEvent, describeRemoval } from "../../../backend/messages.ts";

const key = "/services/backend/web1-8080";
const error = new Error("14 UNAVAILABLE\nno connection");

Deno.test("describeEvent() tells the first failure of a call and its end, none in between", () => {
  const failing = (attempt: number) =>
    describeEvent({ kind: "failing", call: "renew", error, attempt, retryInMs: 100 }, key);
  assertEquals(failing(1), `cannot renew the lease of ${key}, trying on: 14 UNAVAILABLE; no connection`);
  assertEquals(failing(2), undefined);
  assertEquals(
    describeEvent({ kind: "recovered", call: "renew", attempts: 2 }, key),
    "etcd answers again after 2 failed attempts",
  );
});

Deno.test("describeEvent() tells a registration with its revision", () => {
  assertEquals(
    describeEvent({ kind: "registered", leaseId: "7", revision: 12n }, key),
    `registered ${key} at revision 12`,
  );
});

Deno.test("describeRemoval() tells whether the key is gone", () => {
  assertEquals(describeRemoval({ kind: "removed", revision: 13n }, key), `removed ${key}`);
  assertEquals(
    describeRemoval({ kind: "expiring", error }, key),
    `cannot remove ${key}, it goes when its lease ends: 14 UNAVAILABLE; no connection`,
  );
});
