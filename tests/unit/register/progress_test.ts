import { assertEquals } from "@std/assert";
import {
  advance,
  begun,
  NO_PROGRESS,
  type Progress,
  stateOf,
  type StepResult,
} from "../../../lib/register/progress.ts";
import type { RegistrationLease, RegistrationStep } from "../../../lib/register/step.ts";

const LEASE: RegistrationLease = {
  id: "1",
  ttlMs: 9_000,
  renewedAtMs: 0,
  renewAfterMs: 3_000,
  checkedAtMs: 0,
  version: undefined,
  modRevision: 0n,
};
const GRANTED: Progress = { ...NO_PROGRESS, lease: LEASE, ownLeases: new Set(["1"]) };

const putStep = (lease: RegistrationLease, version: number): RegistrationStep & { kind: "put" } => ({
  kind: "put",
  lease,
  value: "v",
  version,
});

/** The key put at revision 5 for version 1. */
function registered(): Progress {
  const step = putStep(LEASE, 1);
  return advance(begun(GRANTED, step), { kind: "put", step, revision: 5n, atMs: 10 }).progress;
}

function leaseOf(progress: Progress): RegistrationLease {
  if (progress.lease === undefined) throw new Error("no lease");
  return progress.lease;
}

Deno.test("advance() knows the key after a put, and tells the first one from later ones", () => {
  const first = advance(GRANTED, { kind: "put", step: putStep(LEASE, 1), revision: 5n, atMs: 10 });
  assertEquals(first.event, { kind: "registered", leaseId: "1", revision: 5n });
  assertEquals(first.reached, 1);
  assertEquals(stateOf(first.progress, { value: "v", version: 1 }), {
    kind: "registered",
    leaseId: "1",
    revision: 5n,
  });
  const step = putStep(leaseOf(first.progress), 2);
  const second = advance(first.progress, { kind: "put", step, revision: 6n, atMs: 20 });
  assertEquals(second.event, { kind: "updated", revision: 6n });
});

Deno.test("begun() makes the key uncertain for as long as a put has no answer", () => {
  const trying = begun(GRANTED, putStep(LEASE, 1));
  assertEquals(stateOf(trying, { value: "v", version: 1 }), { kind: "connecting", attempted: true });
  assertEquals(begun(GRANTED, { kind: "check", lease: LEASE }), GRANTED);
});

Deno.test("advance() forgets a lease that has ended, and with it the revision at which the key went", () => {
  const progress = registered();
  const ended: StepResult = { kind: "ended", lease: leaseOf(progress), returnInMs: 700, atMs: 100 };
  const lost = advance(progress, ended);
  assertEquals(lost.event, { kind: "lost", leaseId: "1", returnInMs: 700 });
  assertEquals([lost.progress.lease, lost.progress.returnAtMs], [undefined, 800]);
  assertEquals(stateOf(lost.progress, { value: undefined, version: 2 }), {
    kind: "withdrawn",
    revision: undefined,
  });
});

Deno.test("advance() takes the revision of a withdrawal that deleted the key, and of no other", () => {
  const progress = registered();
  const step = { kind: "withdraw", lease: leaseOf(progress), version: 2 } as const;
  const deleted = advance(progress, { kind: "withdrawn", step, revision: 7n, atMs: 20 });
  assertEquals(deleted.event, { kind: "withdrawn", revision: 7n });
  const wanted = { value: undefined, version: 2 };
  assertEquals(stateOf(deleted.progress, wanted), { kind: "withdrawn", revision: 7n });
  const gone = advance(progress, { kind: "withdrawn", step, revision: undefined, atMs: 20 });
  assertEquals(stateOf(gone.progress, wanted), { kind: "withdrawn", revision: undefined });
  const never = { ...step, lease: LEASE };
  const nothing = advance(GRANTED, { kind: "withdrawn", step: never, revision: undefined, atMs: 20 });
  assertEquals([nothing.event, stateOf(nothing.progress, wanted)], [undefined, {
    kind: "withdrawn",
    revision: 0n,
  }]);
});

Deno.test("advance() puts back a key that somebody deleted, keeps its own, and leaves that of another lease", () => {
  const progress = registered();
  const lease = leaseOf(progress);
  const deleted = advance(progress, { kind: "changed", lease, found: undefined });
  assertEquals(deleted.event, { kind: "deleted" });
  assertEquals([leaseOf(deleted.progress).version, leaseOf(deleted.progress).modRevision], [undefined, 0n]);
  const own = { value: "old", leaseId: "1", modRevision: 4n };
  const kept = advance(progress, { kind: "changed", lease, found: own });
  assertEquals([kept.event, leaseOf(kept.progress).modRevision], [undefined, 4n]);
  const other = { value: "x", leaseId: "2", modRevision: 9n };
  const taken = advance(progress, { kind: "changed", lease, found: other });
  assertEquals([taken.event, taken.progress.lease], [{ kind: "taken", leaseId: "2" }, undefined]);
});
