import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NOTHING_URGENT, type Urgent, withSeen } from "../../../lib/ack/urgent.ts";
import type { RawEntry, Snapshot } from "../../../lib/registry/snapshot.ts";
import { OVERRIDES, PREFIXES, raw, SERVICES } from "../fixtures.ts";

const A = `${SERVICES}s/a`;
const OVERRIDE = `${OVERRIDES}s/a`;
const READY = "10.0.0.5:80";
const DRAIN = { address: READY, state: "drain" };
/** HAProxy may refuse it, or the node not allow its address: its entry can be read all the same. */
const NOT_ALLOWED = "169.254.1.1:80";
const UNREADABLE = "nonsense";
/** It was not put again. */
const KEPT = Symbol("kept");

const at = (revision: bigint, ...entries: RawEntry[]): Snapshot => ({ revision, entries });
const seen = (...snapshots: Snapshot[]): bigint =>
  snapshots.reduce<Urgent>((state, snapshot) => withSeen(state, snapshot, PREFIXES), NOTHING_URGENT)
    .revision;

const changes: Record<string, [before: Record<string, unknown>, now: Record<string, unknown>, boolean]> = {
  "a registration": [{}, { [A]: READY }, false],
  "one with a weight of its own": [{ [A]: READY }, { [A]: { address: READY, weight: 7 } }, false],
  "an entry that was put again": [{ [A]: READY }, { [A]: READY }, false],
  "a registration that cannot be read": [{}, { [A]: UNREADABLE }, false],
  "an entry that is back from a drain": [{ [A]: DRAIN }, { [A]: READY }, false],
  "an entry that drains": [{ [A]: READY }, { [A]: DRAIN }, true],
  "an entry of an address that may be refused": [{ [A]: NOT_ALLOWED }, {
    [A]: { address: NOT_ALLOWED, state: "drain" },
  }, true],
  "an entry that asked for no request before": [{ [A]: { address: READY, weight: 0 } }, { [A]: DRAIN }, true],
  "a drain that is asked for again": [{ [A]: DRAIN }, { [A]: DRAIN }, true],
  "an entry in maintenance": [{ [A]: READY }, { [A]: { address: READY, state: "maint" } }, true],
  "a weight of 0": [{ [A]: READY }, { [A]: { address: READY, weight: 0 } }, true],
  "another address": [{ [A]: READY }, { [A]: "10.0.0.6:80" }, true],
  "an entry that cannot be read any more": [{ [A]: READY }, { [A]: UNREADABLE }, true],
  "an entry that is gone": [{ [A]: READY }, {}, true],
  "one that is gone and could not be read": [{ [A]: UNREADABLE }, {}, true],
  "an override": [{ [A]: DRAIN }, { [A]: KEPT, [OVERRIDE]: { state: "drain" } }, true],
  "an override of nobody": [{}, { [OVERRIDE]: { weight: 7 } }, true],
  "an override that says the same": [{ [OVERRIDE]: { weight: 7 } }, { [OVERRIDE]: { weight: 7 } }, true],
  "an override that is gone": [{ [A]: DRAIN, [OVERRIDE]: { state: "drain" } }, { [A]: KEPT }, true],
};

for (const [what, [before, now, isUrgent]] of Object.entries(changes)) {
  Deno.test(`withSeen() takes ${what} for ${isUrgent ? "urgent" : "not urgent"}`, () => {
    const start = Object.entries(before).map(([key, value]) => raw(key, value, 1n));
    const next = Object.entries(now).map(([key, value]) =>
      value === KEPT ? raw(key, before[key], 1n) : raw(key, value, 2n)
    );
    assertEquals(seen(at(1n, ...start), at(2n, ...next)), isUrgent ? 2n : 1n);
  });
}

Deno.test("withSeen() takes what is seen first, and a store that was restored, for urgent", () => {
  assertEquals(seen(at(70n, raw(A, READY))), 70n);
  assertEquals(seen(at(70n, raw(A, READY)), at(3n, raw(A, READY))), 3n);
});

Deno.test("withSeen() sees an event that came late at the revision of the snapshot before", () => {
  const entry = raw(A, READY, 4n);
  const snapshots = [at(3n), at(5n, entry), at(6n, entry), at(6n, entry, raw(OVERRIDE, { weight: 7 }, 5n))];
  assertEquals(snapshots.map((_, last) => seen(...snapshots.slice(0, last + 1))), [3n, 3n, 3n, 6n]);
});

/** What writers do to a few keys, and whether a pass comes by before the next one does something. */
const history = fc.array(
  fc.record({
    key: fc.constantFrom(A, `${SERVICES}s/b`, OVERRIDE),
    value: fc.constantFrom(READY, { address: READY, weight: 7 }, DRAIN, UNREADABLE, undefined),
    isSeen: fc.boolean(),
  }),
  { maxLength: 40 },
);

Deno.test("withSeen() misses no urgent change that can be seen, however many changes come between two passes", () => {
  fc.assert(fc.property(history, (events) => {
    const entries = new Map<string, RawEntry>();
    const urgent = new Map<string, bigint>();
    let state = withSeen(NOTHING_URGENT, at(1n), PREFIXES);
    let revision = 1n;
    let known = new Set<string>();
    for (const { key, value, isSeen } of events) {
      revision += 1n;
      urgent.delete(key);
      // A server that came and went between two passes was never served.
      if (value === undefined ? known.has(key) : value === DRAIN || key === OVERRIDE) {
        urgent.set(key, revision);
      }
      if (value === undefined) entries.delete(key);
      else entries.set(key, raw(key, value, revision));
      if (!isSeen) continue;
      state = withSeen(state, at(revision, ...entries.values()), PREFIXES);
      known = new Set(entries.keys());
      for (const change of urgent.values()) {
        assert(state.revision >= change, `${change} is after ${state.revision}`);
      }
    }
  }));
});
