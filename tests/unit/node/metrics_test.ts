import { PROBLEM_KINDS } from "../../../lib/node/problems.ts";
import { assertEquals } from "@std/assert";
import type { NodeEvent } from "../../../lib/node/events.ts";
import { createMetrics, type Metrics } from "../../../lib/node/metrics.ts";
import type { Observed } from "../../../lib/plan/observed.ts";
import type { Plan } from "../../../lib/plan/plan.ts";
import type { NodeFacts } from "../../../lib/node/facts.ts";
import { factsOf, modelOf, observed, passOf, reached, servingFacts } from "../fixtures.ts";

const NOW = 1_000_000;
const COMMIT = "abc1234";
const MODEL = modelOf({ "s/a": { address: "10.0.0.5:80", zone: 1 }, "s/b": "10.0.0.6:80", "s/bad": "?" });

/** Values by series, without the prefix of all names. */
async function series(metrics: Metrics, facts: NodeFacts = factsOf()): Promise<Record<string, number>> {
  const lines = (await metrics.text(facts, NOW)).split("\n").filter((line) => line !== "" && line[0] !== "#");
  return Object.fromEntries(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice("etcd_haproxy_".length, at), Number(line.slice(at + 1))];
  }));
}

Deno.test("createMetrics() has every series at zero before anything happens", async () => {
  const all = await series(createMetrics(COMMIT), factsOf({ haproxy: { kind: "starting" } }));
  const { 'build_info{version="0.1.0",commit="abc1234",haproxy="2.6.12"}': info, ...others } = all;
  assertEquals(info, 1);
  assertEquals(Object.entries(others).filter(([, value]) => value !== 0), []);
  const names = Object.keys(others).filter((name) => !name.startsWith("apply_duration_seconds_bucket"))
    .sort();
  assertEquals(names, [
    "admissions_waiting",
    "apply_duration_seconds_count",
    "apply_duration_seconds_sum",
    "base_refused",
    "drift_repairs_total",
    "ends_total",
    "etcd_errors_total",
    "etcd_reads_refused",
    "etcd_watching",
    "held_servers",
    "lag_seconds",
    "mirror_wrong_total",
    "old_workers",
    'outcomes_total{outcome="failed"}',
    'outcomes_total{outcome="incomplete"}',
    'outcomes_total{outcome="reached"}',
    'outcomes_total{outcome="refused"}',
    'outcomes_total{outcome="reload-failed"}',
    'outcomes_total{outcome="vetoed"}',
    "pass_errors_total",
    "passes_total",
    "pending_removals",
    'plans_put_off_total{kind="reload"}',
    'plans_put_off_total{kind="runtime"}',
    'plans_total{kind="nothing"}',
    'plans_total{kind="reload"}',
    'plans_total{kind="runtime"}',
    'plans_total{kind="write"}',
    ...PROBLEM_KINDS.map((kind) => `problem{kind="${kind}"}`).sort(),
    "ready",
    "rejections",
    'reloads_total{result="failed"}',
    'reloads_total{result="loaded"}',
    'reloads_total{result="vetoed"}',
    "revision",
    "servers",
    "servers_up",
    "services",
    "stale",
    "stale_age_seconds",
    'steps_total{kind="add"}',
    'steps_total{kind="address"}',
    'steps_total{kind="maint"}',
    'steps_total{kind="ready"}',
    'steps_total{kind="remove"}',
    'steps_total{kind="replace"}',
    'steps_total{kind="weight"}',
    "unknown_fields",
    "up",
  ]);
});

Deno.test("createMetrics() has a series of 1 for each thing that is wrong", async () => {
  const all = await series(createMetrics(COMMIT), { ...servingFacts(MODEL), passError: "x" });
  assertEquals(
    PROBLEM_KINDS.map((kind) => all[`problem{kind="${kind}"}`]),
    PROBLEM_KINDS.map((kind) => kind === "pass-failed" ? 1 : 0),
  );
});

const RUNNING: Observed = {
  kind: "up",
  base: undefined,
  servers: new Map([["s", new Map([["a", observed("a")]])]]),
};

Deno.test("createMetrics() takes its gauges from the node's facts", async () => {
  const facts = {
    ...servingFacts(MODEL, {
      oldWorkers: 2,
      outcome: reached({ observed: RUNNING, pending: 4 }),
      state: { refusedBase: { digest: "0", reason: "x", attempts: 1, retryAt: 0 } },
    }),
    lagMs: 1_500,
    admissionsWaiting: 3,
  };
  const all = await series(createMetrics(COMMIT), facts);
  const expected = {
    revision: 9,
    lag_seconds: 1.5,
    services: 1,
    servers: 2,
    servers_up: 1,
    rejections: 1,
    unknown_fields: 1,
    old_workers: 2,
    pending_removals: 4,
    admissions_waiting: 3,
    up: 1,
    etcd_watching: 1,
    ready: 1,
    stale: 0,
    base_refused: 1,
  };
  assertEquals({ ...all, ...expected }, all);
});

Deno.test("createMetrics() shows a stale node with the age of what it serves, until it is no longer stale", async () => {
  const metrics = createMetrics(COMMIT);
  const stale = await series(metrics, factsOf({ inheritedAt: NOW - 4_000 }));
  const fresh = await series(metrics, factsOf({ inheritedAt: NOW - 4_000, reachedOnce: true }));
  const shown = (all: Record<string, number>) => [all.ready, all.stale, all.stale_age_seconds];
  assertEquals([shown(stale), shown(fresh)], [[1, 1, 4], [1, 0, 0]]);
});

Deno.test("createMetrics() shows that reads are refused while the watch goes on", async () => {
  const metrics = createMetrics(COMMIT);
  const watching = { kind: "watching", member: "8e9e05c52164694d" } as const;
  const refused = await series(metrics, factsOf({ etcd: { ...watching, readsRefused: "no user" } }));
  assertEquals([refused.etcd_watching, refused.etcd_reads_refused], [1, 1]);
  const answered = await series(metrics, factsOf({ etcd: watching }));
  assertEquals([answered.etcd_watching, answered.etcd_reads_refused], [1, 0]);
});

const RELOAD: Plan = { kind: "reload", cause: "base-changed", reason: "x", steps: [] };
const RUNTIME: Plan = {
  kind: "runtime",
  steps: [
    { kind: "weight", backend: "s", server: "a", weight: 7, reason: "x" },
    { kind: "maint", backend: "s", server: "b", reason: "x" },
  ],
};
const counted: Record<string, [pass: Parameters<Metrics["onPass"]>[0], series: string[]]> = {
  "a pass with nothing to do": [
    passOf(MODEL, { outcome: reached() }),
    ['outcomes_total{outcome="reached"}', "passes_total", 'plans_total{kind="nothing"}'],
  ],
  "a reload that was put off": [
    passOf(MODEL, { plan: RELOAD, pace: { kind: "later", at: 5, reason: "x", crowded: false } }),
    ["passes_total", 'plans_put_off_total{kind="reload"}'],
  ],
  "a reload that was loaded": [
    passOf(MODEL, { plan: RELOAD, outcome: reached() }),
    [
      "apply_duration_seconds_count",
      'outcomes_total{outcome="reached"}',
      "passes_total",
      'plans_total{kind="reload"}',
    ],
  ],
  "a reload that was not tried": [
    passOf(MODEL, { plan: RELOAD, outcome: { kind: "vetoed", reason: "x" } }),
    [
      "apply_duration_seconds_count",
      'outcomes_total{outcome="vetoed"}',
      "passes_total",
      'plans_total{kind="reload"}',
    ],
  ],
  "a reload that failed": [
    passOf(MODEL, { plan: RELOAD, outcome: { kind: "reload-failed", reason: "x" } }),
    [
      "apply_duration_seconds_count",
      'outcomes_total{outcome="reload-failed"}',
      "passes_total",
      'plans_total{kind="reload"}',
    ],
  ],
  "changes at run time with each of their steps": [
    passOf(MODEL, { plan: RUNTIME, outcome: reached() }),
    [
      "apply_duration_seconds_count",
      'outcomes_total{outcome="reached"}',
      "passes_total",
      'plans_total{kind="runtime"}',
      'steps_total{kind="maint"}',
      'steps_total{kind="weight"}',
    ],
  ],
  "a step that undoes what was changed by hand": [
    passOf(MODEL, { plan: RUNTIME, outcome: { kind: "incomplete", reason: "x" }, drift: 1 }),
    [
      "apply_duration_seconds_count",
      "drift_repairs_total",
      'outcomes_total{outcome="incomplete"}',
      "passes_total",
      'plans_total{kind="runtime"}',
      'steps_total{kind="maint"}',
      'steps_total{kind="weight"}',
    ],
  ],
  "no drift while the plan that repairs it is put off": [
    passOf(MODEL, {
      plan: RUNTIME,
      pace: { kind: "later", at: undefined, reason: "x", crowded: false },
      drift: 1,
    }),
    ["passes_total", 'plans_put_off_total{kind="runtime"}'],
  ],
  "a text that HAProxy refused before any reload": [
    passOf(MODEL, { plan: RELOAD, outcome: { kind: "refused", alerts: [] } }),
    [
      "apply_duration_seconds_count",
      'outcomes_total{outcome="refused"}',
      "passes_total",
      'plans_total{kind="reload"}',
    ],
  ],
};

for (const [what, [pass, expected]] of Object.entries(counted)) {
  Deno.test(`createMetrics() counts ${what}`, async () => {
    const metrics = createMetrics(COMMIT);
    metrics.onPass(pass);
    const all = await series(metrics);
    const moved = Object.keys(all).filter((name) => /_(total|count)/.test(name) && all[name] === 1).sort();
    assertEquals(moved, expected);
  });
}

const reload = (result: "loaded" | "failed" | "vetoed"): NodeEvent => ({
  ...{ kind: "reload", cause: "base-changed", reason: "x", result },
});
const events: [event: NodeEvent, counter: string][] = [
  [{ kind: "pass-failed", reason: "x", retryInMs: 5 }, "pass_errors_total"],
  [{ kind: "etcd-connecting", reason: "x", attempt: 1 }, "etcd_errors_total"],
  [{ kind: "etcd-watch-ended", reason: "x", readAgain: true }, "etcd_errors_total"],
  [{ kind: "etcd-reads-refused", reason: "x" }, "etcd_errors_total"],
  [{ kind: "mirror-wrong", reason: "x" }, "mirror_wrong_total"],
  [{ kind: "haproxy-down", reason: "x", retryInMs: 5, attached: false }, "ends_total"],
  [reload("loaded"), 'reloads_total{result="loaded"}'],
  [reload("failed"), 'reloads_total{result="failed"}'],
  [reload("vetoed"), 'reloads_total{result="vetoed"}'],
];

for (const [event, counter] of events) {
  Deno.test(`createMetrics() counts the event ${event.kind} in ${counter}, and nothing else`, async () => {
    const metrics = createMetrics(COMMIT);
    metrics.onEvents([event, { kind: "base-accepted" }, event]);
    const all = await series(metrics);
    const moved = Object.entries(all).filter(([name, value]) => /_(total|count)/.test(name) && value !== 0);
    assertEquals(moved, [[counter, 2]]);
  });
}

Deno.test("createMetrics() measures how long a pass took, in seconds", async () => {
  const metrics = createMetrics(COMMIT);
  metrics.onPass(passOf(MODEL, { plan: RELOAD, outcome: reached(), tookMs: 250 }));
  const all = await series(metrics);
  assertEquals(all.apply_duration_seconds_sum, 0.25);
  assertEquals([
    all['apply_duration_seconds_bucket{le="0.1"}'],
    all['apply_duration_seconds_bucket{le="0.25"}'],
  ], [0, 1]);
});

Deno.test("createMetrics() has counters of its own in each instance", async () => {
  createMetrics(COMMIT).onEvents([{ kind: "mirror-wrong", reason: "x" }]);
  assertEquals((await series(createMetrics(COMMIT))).mirror_wrong_total, 0);
});
