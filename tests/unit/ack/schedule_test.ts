import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { NodeStatus } from "../../../lib/ack/keys.ts";
import {
  afterPut,
  type News,
  nextPut,
  NOTHING_PUBLISHED,
  type Published,
  type PutStep,
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
const news = (changes: Partial<News> = {}, status: Partial<NodeStatus> = {}): News => ({
  applied: 10n,
  awaited: undefined,
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
const wait = (at?: number): PutStep => ({ kind: "wait", at });
const draining = (since: number, ...servers: string[]): [Partial<News>, Partial<NodeStatus>] => [
  { applied: 11n, awaited: 11n, drainingSince: new Map(servers.map((server) => [server, since])) },
  { revision: 11n, draining: servers },
];

const cases: Record<string, [News, Published, PutStep]> = {
  "both keys at first": [news(), NOTHING_PUBLISHED, put({ applied: true, status: true })],
  "the status alone while nothing is verified": [
    news({ applied: undefined }, { revision: 0n }),
    NOTHING_PUBLISHED,
    put({ status: true }),
  ],
  "nothing when nothing changed": [news(), published(), wait()],
  "nothing when only times changed": [
    news({}, { at: "2027-01-02T03:04:05Z", tookMs: 9, lagMs: 9 }),
    published({ statusAt: 0 }),
    wait(),
  ],
  "a revision that somebody may wait for, a quarter of a second after the last one": [
    news({ applied: 11n, awaited: 11n }),
    published({ appliedAt: NOW - 250 }),
    put({ applied: true }),
  ],
  "no revision before that": [
    news({ applied: 11n, awaited: 11n }),
    published({ appliedAt: NOW - 249 }),
    wait(NOW + 1),
  ],
  "a revision that nobody waits for after five seconds": [
    news({ applied: 11n, awaited: 10n }),
    published({ appliedAt: NOW - 5_000 }),
    put({ applied: true }),
  ],
  "not before that": [
    news({ applied: 11n, awaited: 10n }),
    published({ appliedAt: NOW - 4_999 }),
    wait(NOW + 1),
  ],
  "a revision that went backwards like one that somebody waits for": [
    news({ applied: 3n }),
    published({ appliedAt: NOW - 250 }),
    put({ applied: true }),
  ],
  "a status that changed after ten seconds": [
    news({}, { rejections: 1 }),
    published({ statusAt: NOW - 10_000 }),
    put({ status: true }),
  ],
  "no status before that": [news({}, { rejections: 1 }), published({ statusAt: NOW - 9_999 }), wait(NOW + 1)],
  "the first counts of servers after a second": [
    news({}, { servers: { total: 2, up: 1 } }),
    published({ countsLeft: 1 }),
    put({ status: true }),
  ],
  "no counts before that": [
    news({}, { servers: { total: 2, up: 1 } }),
    published({ statusAt: NOW - 999 }),
    wait(NOW + 1),
  ],
  "later counts like all else of a status": [
    news({}, { servers: { total: 2, up: 1 } }),
    published({ countsLeft: 0 }),
    wait(NOW + 9_000),
  ],
  "a server that drains no longer after a second": [
    news({}, { draining: [] }),
    published({ statusAt: NOW - 1_000, status: { ...STATUS, draining: ["api/a"] } }),
    put({ status: true }),
  ],
  "a revision that somebody may wait for along with a status that is due": [
    news({ applied: 11n, awaited: 11n, drainingSince: new Map([["api/a", NOW]]) }, {
      revision: 11n,
      draining: ["api/a"],
    }),
    published({ statusAt: NOW - 10_000 }),
    put({ applied: true, status: true }),
  ],
  "no revision that nobody waits for along with it before its time": [
    news({ applied: 11n, awaited: 10n }, { revision: 11n }),
    published({ appliedAt: NOW - 4_999, statusAt: NOW - 10_000 }),
    put({ status: true }),
  ],
  "no revision along with it when the last one was put just now": [
    news({ applied: 11n, awaited: 11n }, { revision: 11n }),
    published({ appliedAt: NOW - 249, statusAt: NOW - 10_000 }),
    put({ status: true }),
  ],
  "a revision together with the servers that drain": [
    news(...draining(NOW - 250, "api/a")),
    published({ statusAt: NOW - 1_000 }),
    put({ applied: true, status: true }),
  ],
  "no revision before its draining servers had time to end": [
    news(...draining(NOW - 249, "api/a")),
    published({ statusAt: NOW - 999 }),
    wait(NOW + 1),
  ],
  "a revision alone when its draining servers are listed already": [
    news(...draining(NOW, "api/a")),
    published({ status: { ...STATUS, draining: ["api/a"] }, statusAt: NOW }),
    put({ applied: true }),
  ],
};

for (const [what, [news, published, step]] of Object.entries(cases)) {
  Deno.test(`nextPut() puts ${what}`, () => assertEquals(nextPut(news, published, NOW), step));
}

/** What a node under churn would have to tell: passes and, unless it is calm, requests come and go at random times. */
const churn = fc.boolean().chain((isCalm) =>
  fc.array(
    fc.record({
      afterMs: fc.integer({ min: 1, max: 3_000 }),
      pass: fc.constantFrom("adds", "leaves", undefined),
      draining: fc.subarray(isCalm ? [] : ["api/a", "api/b", "api/c"]),
      up: fc.nat(3),
    }),
    { minLength: 5, maxLength: 200 },
  )
);

Deno.test("nextPut() keeps its distances, and lists every draining server beside the revision", () => {
  fc.assert(fc.property(churn, (events) => {
    let now = 0;
    let told: News = news({ applied: 1n }, { revision: 1n });
    let state = NOTHING_PUBLISHED;
    const puts: { at: number; applied: boolean; status: boolean; isAwaited: boolean }[] = [];
    const drive = (until: number) => {
      for (;;) {
        const step = nextPut(told, state, now);
        if (step.kind === "wait" && (step.at === undefined || step.at > until)) break;
        if (step.kind === "wait") {
          assert(step.at !== undefined && step.at > now, "no progress");
          now = step.at;
          continue;
        }
        const isAwaited = state.applied === undefined || (told.awaited ?? 0n) > state.applied;
        puts.push({ at: now, ...step, isAwaited });
        state = afterPut(state, step, { ...told, now });
        if (state.applied !== told.applied) continue;
        const listed = new Set(state.status?.draining);
        assert(
          told.status.draining.every((server) => listed.has(server)),
          "a draining server is passed over",
        );
      }
      now = until;
    };
    for (const { afterMs, pass, draining, up } of events) {
      drive(now + afterMs);
      const applied = (told.applied ?? 0n) + (pass === undefined ? 0n : 1n);
      const since = new Map(draining.map((server) => [server, told.drainingSince.get(server) ?? now]));
      told = {
        applied,
        awaited: pass === "leaves" ? applied : told.awaited,
        status: { ...STATUS, revision: applied, draining, servers: { total: 3, up } },
        drainingSince: since,
      };
    }
    drive(now + 10_000);
    assertEquals(nextPut(told, state, now), wait());
    const gaps = (which: "applied" | "status") => {
      const those = puts.filter((put) => put[which]);
      return those.slice(1).map(({ at, isAwaited }, i) => ({ ms: at - (those[i]?.at ?? 0), isAwaited }));
    };
    assert(
      gaps("applied").every(({ ms, isAwaited }) => ms >= (isAwaited ? 250 : 5_000)),
      "revisions too close",
    );
    assert(gaps("status").every(({ ms }) => ms >= 1_000), "status too close");
    const isCalm = events.every(({ draining }) => draining.length === 0);
    const statusPuts = puts.filter(({ status }) => status).length;
    // The first one, two that tell of servers for the first time, and one in ten seconds.
    if (isCalm) assert(statusPuts <= 3 + now / 10_000, "status too often");
  }));
});
