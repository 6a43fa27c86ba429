import { assertEquals } from "@std/assert";
import {
  nextRegistrationStep,
  type RegistrationLease,
  type RegistrationStep,
} from "../../../lib/register/step.ts";

/** Granted, put and checked at 1 s; to be renewed at 4 s. */
const LEASE: RegistrationLease = {
  id: "7",
  ttlMs: 9_000,
  renewedAtMs: 1_000,
  renewAtMs: 4_000,
  checkedAtMs: 1_000,
  version: 1,
  modRevision: 5n,
};

interface Situation {
  readonly lease?: RegistrationLease | undefined;
  readonly value?: string | undefined;
  readonly version?: number;
  readonly returnAtMs?: number;
  readonly nowMs?: number;
}

function next(situation: Situation): RegistrationStep {
  const { lease, value, version, returnAtMs, nowMs } = {
    lease: LEASE,
    value: "v",
    version: 1,
    returnAtMs: 0,
    nowMs: 1_001,
    ...situation,
  };
  return nextRegistrationStep({ lease, wanted: { value, version }, returnAtMs, nowMs });
}

Deno.test("nextRegistrationStep() grants a lease when there is none", () => {
  assertEquals(next({ lease: undefined }), { kind: "grant" });
});

Deno.test("nextRegistrationStep() waits until a lost lease may be granted again", () => {
  assertEquals(next({ lease: undefined, returnAtMs: 1_500 }), { kind: "wait", delayMs: 499 });
});

Deno.test("nextRegistrationStep() rests while nothing is wanted and no lease is held", () => {
  assertEquals(next({ lease: undefined, value: undefined }), { kind: "rest", delayMs: Infinity });
});

Deno.test("nextRegistrationStep() puts the value under a new lease", () => {
  const lease = { ...LEASE, version: undefined, modRevision: 0n };
  assertEquals(next({ lease }), { kind: "put", lease, value: "v", version: 1 });
});

Deno.test("nextRegistrationStep() puts a value that changed", () => {
  assertEquals(next({ version: 2 }), { kind: "put", lease: LEASE, value: "v", version: 2 });
});

Deno.test("nextRegistrationStep() withdraws the key when none is wanted any more, and keeps the lease", () => {
  assertEquals(next({ value: undefined, version: 2 }), { kind: "withdraw", lease: LEASE, version: 2 });
  const withdrawn = { ...LEASE, version: 2, modRevision: 0n };
  const lease = { ...withdrawn, renewedAtMs: 4_000, renewAtMs: 7_000 };
  assertEquals(next({ lease, value: undefined, version: 2, nowMs: 4_500 }), { kind: "wait", delayMs: 2_500 });
  assertEquals(next({ lease, value: undefined, version: 2, nowMs: 7_000 }), { kind: "renew", lease });
});

Deno.test("nextRegistrationStep() waits for the next renewal when all is put", () => {
  assertEquals(next({ nowMs: 1_500 }), { kind: "wait", delayMs: 2_500 });
});

Deno.test("nextRegistrationStep() renews when it is time, and then looks at the key", () => {
  assertEquals(next({ nowMs: 4_000 }), { kind: "renew", lease: LEASE });
  const lease = { ...LEASE, renewedAtMs: 4_000, renewAtMs: 7_000 };
  assertEquals(next({ lease, nowMs: 4_001 }), { kind: "check", lease });
  assertEquals(next({ lease: { ...lease, checkedAtMs: 4_001 }, nowMs: 4_002 }), {
    kind: "wait",
    delayMs: 2_998,
  });
});

Deno.test("nextRegistrationStep() renews a lease before it puts a value that etcd may refuse", () => {
  assertEquals(next({ version: 2, nowMs: 4_000 }), { kind: "renew", lease: LEASE });
});
