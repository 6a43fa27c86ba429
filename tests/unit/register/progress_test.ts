import { assertEquals } from "@std/assert";
import {
  begun,
  found,
  granted,
  lost,
  NO_PROGRESS,
  type Progress,
  put,
  stateOf,
  withdrawn,
} from "../../../lib/register/progress.ts";
import type { RegistrationLease, RegistrationStep } from "../../../lib/register/step.ts";

const LEASE: RegistrationLease = {
  id: "1",
  ttlMs: 9_000,
  renewedAtMs: 0,
  renewAtMs: 3_000,
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
  return put(begun(GRANTED, step), step, { revision: 5n, atMs: 10 }).progress;
}

function leaseOf(progress: Progress): RegistrationLease {
  if (progress.lease === undefined) throw new Error("no lease");
  return progress.lease;
}

Deno.test("granted() keeps the lease, whose key is not put yet, among its own", () => {
  const { id, ttlMs, renewedAtMs, renewAtMs } = LEASE;
  assertEquals(granted(NO_PROGRESS, { id, ttlMs, renewedAtMs, renewAtMs }), { progress: GRANTED });
});

Deno.test("put() knows the key, and tells the first one from later ones", () => {
  const first = put(GRANTED, putStep(LEASE, 1), { revision: 5n, atMs: 10 });
  assertEquals(first.event, { kind: "registered", leaseId: "1", revision: 5n });
  assertEquals(stateOf(first.progress, { value: "v", version: 1 }), {
    kind: "registered",
    leaseId: "1",
    revision: 5n,
  });
  const step = putStep(leaseOf(first.progress), 2);
  const second = put(first.progress, step, { revision: 6n, atMs: 20 });
  assertEquals(second.event, { kind: "updated", revision: 6n });
});

Deno.test("begun() makes the key uncertain for as long as a put has no answer", () => {
  const trying = begun(GRANTED, putStep(LEASE, 1));
  assertEquals(stateOf(trying, { value: "v", version: 1 }), { kind: "connecting", attempted: true });
  assertEquals(begun(GRANTED, { kind: "check", lease: LEASE }), GRANTED);
});

Deno.test("lost() forgets a lease that has ended, and with it the revision at which the key went", () => {
  const progress = registered();
  const ended = lost(progress, { lease: leaseOf(progress), returnInMs: 700 });
  assertEquals(ended.event, { kind: "lost", leaseId: "1", returnInMs: 700 });
  assertEquals(ended.progress.lease, undefined);
  assertEquals(stateOf(ended.progress, { value: undefined, version: 2 }), {
    kind: "withdrawn",
    revision: undefined,
  });
});

Deno.test("withdrawn() takes the revision of a withdrawal that deleted the key, and of no other", () => {
  const progress = registered();
  const step = { kind: "withdraw", lease: leaseOf(progress), version: 2 } as const;
  const deleted = withdrawn(progress, step, { deleted: 7n, atMs: 20 });
  assertEquals(deleted.event, { kind: "withdrawn", revision: 7n });
  const wanted = { value: undefined, version: 2 };
  assertEquals(stateOf(deleted.progress, wanted), { kind: "withdrawn", revision: 7n });
  const gone = withdrawn(progress, step, { deleted: undefined, atMs: 20 });
  assertEquals(stateOf(gone.progress, wanted), { kind: "withdrawn", revision: undefined });
  const never = { ...step, lease: LEASE };
  const nothing = withdrawn(GRANTED, never, { deleted: undefined, atMs: 20 });
  assertEquals([nothing.event, stateOf(nothing.progress, wanted)], [undefined, {
    kind: "withdrawn",
    revision: 0n,
  }]);
});

Deno.test("found() puts back a deleted key, keeps its own, and leaves that of another lease", () => {
  const progress = registered();
  const lease = leaseOf(progress);
  const deleted = found(progress, { lease, key: undefined });
  assertEquals(deleted.event, { kind: "deleted" });
  assertEquals([leaseOf(deleted.progress).version, leaseOf(deleted.progress).modRevision], [undefined, 0n]);
  const own = { value: "old", leaseId: "1", modRevision: 4n };
  const kept = found(progress, { lease, key: own });
  assertEquals([kept.event, leaseOf(kept.progress).modRevision], [undefined, 4n]);
  const earlier = found({ ...progress, ownLeases: new Set(["1", "9"]) }, {
    lease,
    key: { ...own, leaseId: "9" },
  });
  assertEquals([earlier.event, leaseOf(earlier.progress).version], [undefined, undefined]);
  const same = { value: "v", leaseId: "1", modRevision: 5n };
  assertEquals(found(progress, { lease, key: same }), { progress });
  const other = { value: "x", leaseId: "2", modRevision: 9n };
  const taken = found(progress, { lease, key: other });
  assertEquals([taken.event, taken.progress.lease], [{ kind: "taken", leaseId: "2" }, undefined]);
  const without = found(progress, { lease, key: { ...other, leaseId: "0" } });
  assertEquals(without.event, { kind: "taken", leaseId: "0" });
});
