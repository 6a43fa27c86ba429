import { assertEquals } from "@std/assert";
import { type HeldLease, nextRegistrationStep } from "../../../lib/etcd/registration_step.ts";

const lease: HeldLease = { id: "7", ttlMs: 9_000, renewedAtMs: 1_000, putVersion: 1 };

Deno.test("nextRegistrationStep() grants a lease when there is none", () => {
  assertEquals(nextRegistrationStep({ lease: undefined, wantedVersion: 1, nowMs: 0 }), { kind: "grant" });
});

Deno.test("nextRegistrationStep() puts the value under a new lease", () => {
  const fresh = { ...lease, putVersion: undefined };
  assertEquals(nextRegistrationStep({ lease: fresh, wantedVersion: 1, nowMs: 1_001 }), {
    kind: "put",
    lease: fresh,
  });
});

Deno.test("nextRegistrationStep() puts a value that changed", () => {
  assertEquals(nextRegistrationStep({ lease, wantedVersion: 2, nowMs: 1_001 }), { kind: "put", lease });
});

Deno.test("nextRegistrationStep() waits for a third of the time to live when all is put", () => {
  assertEquals(nextRegistrationStep({ lease, wantedVersion: 1, nowMs: 1_500 }), {
    kind: "wait",
    delayMs: 2_500,
  });
});

Deno.test("nextRegistrationStep() renews when a third of the time to live has passed", () => {
  assertEquals(nextRegistrationStep({ lease, wantedVersion: 1, nowMs: 4_000 }), { kind: "renew", lease });
});

Deno.test("nextRegistrationStep() renews a lease before it puts a value that etcd may refuse", () => {
  assertEquals(nextRegistrationStep({ lease, wantedVersion: 2, nowMs: 4_000 }), { kind: "renew", lease });
});
