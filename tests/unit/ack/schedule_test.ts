import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { NodeStatus } from "../../../lib/ack/keys.ts";
import {
  afterPut,
  nextPut,
  NOTHING_PUBLISHED,
  type Published,
  type PutStep,
  type Report,
} from "../../../lib/ack/schedule.ts";

const STATUS: NodeStatus = {
  node: "lb1",
  instance: "00ff00ff00ff00ff",
  revision: 10n,
  lagMs: 0,
  base: "",
  servers: { total: 2, up: 2 },
  draining: [],
  rejections: 0,
  held: 0,
  plan: "none",
  tookMs: 0,
  stale: false,
  at: "2026-01-02T03:04:05Z",
  version: "0.1.0",
  admin: "",
};
const NOW = 100_000;
const report = (changes: Partial<Report> = {}, status: Partial<NodeStatus> = {}): Report => ({
  applied: 10n,
  urgent: undefined,
  status: { ...STATUS, ...status },
  drainingSince: new Map(),
  ...changes,
});
const published = (changes: Partial<Published> = {}): Published => ({
  applied: 10n,
  appliedAt: NOW - 1_000,
  status: STATUS,
  statusAt: NOW - 1_000,
  countsLeft: 2,
  ...changes,
});
const put = (what: { applied?: boolean; status?: boolean }): PutStep => ({
  kind: "put",
  applied: false,
  status: false,
  ...what,
});
const wait = (at = Infinity): PutStep => ({ kind: "wait", at });
const draining = (since: number, ...servers: string[]): [Partial<Report>, Partial<NodeStatus>] => [
  { applied: 11n, urgent: 11n, drainingSince: new Map(servers.map((server) => [server, since])) },
  { revision: 11n, draining: servers },
];

const cases: Record<string, [Report, Published, PutStep]> = {
  "both keys at first": [report(), NOTHING_PUBLISHED, put({ applied: true, status: true })],
  "the status alone while nothing is verified": [
    report({ applied: undefined }, { revision: 0n }),
    NOTHING_PUBLISHED,
    put({ status: true }),
  ],
  "nothing when nothing changed": [report(), published(), wait()],
  "nothing when only times changed": [
    report({}, { at: "2027-01-02T03:04:05Z", tookMs: 9, lagMs: 9 }),
    published({ statusAt: 0 }),
    wait(),
  ],
  "a revision that a client may wait for, a quarter of a second after the last one": [
    report({ applied: 11n, urgent: 11n }),
    published({ appliedAt: NOW - 250 }),
    put({ applied: true }),
  ],
  "no revision before that": [
    report({ applied: 11n, urgent: 11n }),
    published({ appliedAt: NOW - 249 }),
    wait(NOW + 1),
  ],
  "a revision that no client waits for after five seconds": [
    report({ applied: 11n, urgent: 10n }),
    published({ appliedAt: NOW - 5_000 }),
    put({ applied: true }),
  ],
  "not before that": [
    report({ applied: 11n, urgent: 10n }),
    published({ appliedAt: NOW - 4_999 }),
    wait(NOW + 1),
  ],
  "a revision that went backwards like one that a client waits for": [
    report({ applied: 3n }),
    published({ appliedAt: NOW - 250 }),
    put({ applied: true }),
  ],
  "a status that changed after ten seconds": [
    report({}, { rejections: 1 }),
    published({ statusAt: NOW - 10_000 }),
    put({ status: true }),
  ],
  "no status before that": [
    report({}, { rejections: 1 }),
    published({ statusAt: NOW - 9_999 }),
    wait(NOW + 1),
  ],
  "the first counts of servers after a second": [
    report({}, { servers: { total: 2, up: 1 } }),
    published({ countsLeft: 1 }),
    put({ status: true }),
  ],
  "no counts before that": [
    report({}, { servers: { total: 2, up: 1 } }),
    published({ statusAt: NOW - 999 }),
    wait(NOW + 1),
  ],
  "later counts like all else of a status": [
    report({}, { servers: { total: 2, up: 1 } }),
    published({ countsLeft: 0 }),
    wait(NOW + 9_000),
  ],
  "a server that drains no longer after a second": [
    report({}, { draining: [] }),
    published({ statusAt: NOW - 1_000, status: { ...STATUS, draining: ["api/a"] } }),
    put({ status: true }),
  ],
  "a revision that a client may wait for along with a status that is due": [
    report({ applied: 11n, urgent: 11n, drainingSince: new Map([["api/a", NOW]]) }, {
      revision: 11n,
      draining: ["api/a"],
    }),
    published({ statusAt: NOW - 10_000 }),
    put({ applied: true, status: true }),
  ],
  "no revision without a waiting client along with it before its time": [
    report({ applied: 11n, urgent: 10n }, { revision: 11n }),
    published({ appliedAt: NOW - 4_999, statusAt: NOW - 10_000 }),
    put({ status: true }),
  ],
  "no revision along with it when the last one was put just now": [
    report({ applied: 11n, urgent: 11n }, { revision: 11n }),
    published({ appliedAt: NOW - 249, statusAt: NOW - 10_000 }),
    put({ status: true }),
  ],
  "a revision together with the servers that drain": [
    report(...draining(NOW - 250, "api/a")),
    published({ statusAt: NOW - 1_000 }),
    put({ applied: true, status: true }),
  ],
  "no revision before its draining servers had time to end": [
    report(...draining(NOW - 249, "api/a")),
    published({ statusAt: NOW - 999 }),
    wait(NOW + 1),
  ],
  "a revision alone when its draining servers are listed already": [
    report(...draining(NOW, "api/a")),
    published({ status: { ...STATUS, draining: ["api/a"] }, statusAt: NOW }),
    put({ applied: true }),
  ],
};

for (const [what, [report, published, step]] of Object.entries(cases)) {
  Deno.test(`nextPut() puts ${what}`, () => assertEquals(nextPut(report, published, NOW), step));
}

/** What a node under churn would have to tell: passes and, unless it is calm, requests come and go at random times. */
const churn = fc.boolean().chain((isCalm) =>
  fc.array(
    fc.record({
      afterMs: fc.integer({ min: 1, max: 3_000 }),
      pass: fc.constantFrom("adds", "urgent", undefined),
      draining: fc.subarray(isCalm ? [] : ["api/a", "api/b", "api/c"]),
      up: fc.nat(3),
    }),
    { minLength: 5, maxLength: 200 },
  )
);

Deno.test("nextPut() keeps its distances, and lists every draining server beside the revision", () => {
  fc.assert(fc.property(churn, (events) => {
    let now = 0;
    let offered: Report = report({ applied: 1n }, { revision: 1n });
    let state = NOTHING_PUBLISHED;
    const puts: { at: number; applied: boolean; status: boolean; isUrgent: boolean }[] = [];
    const drive = (until: number) => {
      for (;;) {
        const step = nextPut(offered, state, now);
        if (step.kind === "wait" && (step.at === undefined || step.at > until)) break;
        if (step.kind === "wait") {
          assert(step.at !== undefined && step.at > now, "no progress");
          now = step.at;
          continue;
        }
        const isUrgent = state.applied === undefined || (offered.urgent ?? 0n) > state.applied;
        puts.push({ at: now, ...step, isUrgent });
        state = afterPut(state, step, { ...offered, now });
        if (state.applied !== offered.applied) continue;
        const listed = new Set(state.status?.draining);
        assert(
          offered.status.draining.every((server) => listed.has(server)),
          "a draining server is passed over",
        );
      }
      now = until;
    };
    for (const { afterMs, pass, draining, up } of events) {
      drive(now + afterMs);
      const applied = (offered.applied ?? 0n) + (pass === undefined ? 0n : 1n);
      const since = new Map(draining.map((server) => [server, offered.drainingSince.get(server) ?? now]));
      offered = {
        applied,
        urgent: pass === "urgent" ? applied : offered.urgent,
        status: { ...STATUS, revision: applied, draining, servers: { total: 3, up } },
        drainingSince: since,
      };
    }
    drive(now + 10_000);
    assertEquals(nextPut(offered, state, now), wait());
    const gaps = (which: "applied" | "status") => {
      const those = puts.filter((put) => put[which]);
      return those.slice(1).map(({ at, isUrgent }, i) => ({ ms: at - (those[i]?.at ?? 0), isUrgent }));
    };
    assert(
      gaps("applied").every(({ ms, isUrgent }) => ms >= (isUrgent ? 250 : 5_000)),
      "revisions too close",
    );
    assert(gaps("status").every(({ ms }) => ms >= 1_000), "status too close");
    const isCalm = events.every(({ draining }) => draining.length === 0);
    const statusPuts = puts.filter(({ status }) => status).length;
    // The first one, two that tell of servers for the first time, and one in ten seconds.
    if (isCalm) assert(statusPuts <= 3 + now / 10_000, "status too often");
  }));
});
