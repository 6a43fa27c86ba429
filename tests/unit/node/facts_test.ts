import { assertEquals } from "@std/assert";
import type { Model } from "../../../lib/registry/model.ts";
import type { Observed } from "../../../lib/plan/observed.ts";
import { describePlan } from "../../../lib/plan/plan.ts";
import { isReached, readinessOf, serverCounts, stateJson } from "../../../lib/node/facts.ts";
import type { NodeFacts } from "../../../lib/node/facts.ts";
import { factsOf, modelOf, observed, passOf, reached, serverOf, servingFacts } from "../fixtures.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

const readiness: Record<string, [facts: Partial<NodeFacts>, expected: ReturnType<typeof readinessOf>]> = {
  "ready once a state from the registry is served": [{ reachedOnce: true }, { ready: true, stale: false }],
  "ready though etcd is lost": [
    { reachedOnce: true, etcd: { kind: "lost", reason: "no member answers" } },
    { ready: true, stale: false },
  ],
  "ready but stale with what an earlier run left": [
    { inheritedAt: NOW - 5_000 },
    { ready: true, stale: true, ageMs: 5_000 },
  ],
  "stale of no age when the clock went back": [
    { inheritedAt: NOW + 5_000 },
    { ready: true, stale: true, ageMs: 0 },
  ],
  "no longer stale when the registry was read": [
    { reachedOnce: true, inheritedAt: NOW - 5_000 },
    { ready: true, stale: false },
  ],
  "not ready before the first state": [{}, {
    ready: false,
    reason: "the registry was not read yet",
  }],
  "not ready while HAProxy is down": [
    { reachedOnce: true, haproxy: { kind: "down", reason: "exit code 1", retryInMs: 5 } },
    { ready: false, reason: "HAProxy is down: exit code 1" },
  ],
  "not ready while a master that is there cannot be adopted": [
    { inheritedAt: NOW, haproxy: { kind: "starting", reason: "no answer" } },
    { ready: false, reason: "HAProxy is starting: no answer" },
  ],
  "not ready while the worker takes connections and says nothing": [
    { reachedOnce: true, sockets: { worker: { kind: "stuck", reason: "x" }, master: { kind: "answers" } } },
    { ready: false, reason: "HAProxy does not answer" },
  ],
  "ready while only the sockets are lost": [
    {
      reachedOnce: true,
      sockets: { worker: { kind: "lost", reason: "x" }, master: { kind: "lost", reason: "y" } },
    },
    { ready: true, stale: false },
  ],
  "not ready while HAProxy starts": [
    { inheritedAt: NOW, haproxy: { kind: "starting" } },
    { ready: false, reason: "HAProxy is starting" },
  ],
  "not ready when it is told to stop": [{ reachedOnce: true, stopping: true }, {
    ready: false,
    reason: "stopping",
  }],
};

for (const [what, [facts, expected]] of Object.entries(readiness)) {
  Deno.test(`readinessOf() says ${what}`, () => assertEquals(readinessOf(factsOf(facts), NOW), expected));
}

const MODEL = modelOf({ "s/a": "10.0.0.5:8080", "s/b": "10.0.0.6:8080", "t/c": "10.0.0.7:8080" });
const RUNNING: Observed = {
  kind: "up",
  base: undefined,
  servers: new Map([["s", new Map([["a", observed("a")], ["b", observed("b", { up: false })]])]]),
};

Deno.test("serverCounts() counts the servers of the registry that HAProxy has up", () => {
  const observedMore: Observed = {
    ...RUNNING,
    servers: new Map([...RUNNING.servers, ["other", new Map([["x", observed("x")]])]]),
  };
  assertEquals(serverCounts(servingFacts(MODEL, { observed: observedMore })), { total: 3, up: 1 });
});

Deno.test("serverCounts() counts none before the first pass", () => {
  assertEquals(serverCounts(factsOf({ observed: RUNNING })), { total: 0, up: 0 });
});

Deno.test("serverCounts() counts none up while HAProxy does not answer", () => {
  const silent: Observed = { kind: "silent", reason: "no answer" };
  assertEquals(serverCounts(servingFacts(MODEL, { observed: silent })), { total: 3, up: 0 });
});

Deno.test("stateJson() shows a node before its first pass", () => {
  assertEquals(stateJson(factsOf(), NOW), {
    node: "lb1",
    version: "0.1.0",
    readiness: { ready: false, reason: "the registry was not read yet" },
    etcd: { kind: "connecting" },
    haproxy: { kind: "up", pid: 17, adopted: false, version: "2.6.12", oldWorkers: 0 },
    revision: null,
    lagMs: 0,
    base: null,
    services: [],
    servers: { total: 0, up: 0 },
    rejections: [],
    held: [],
    admissionsWaiting: 0,
    nodeKeys: { kind: "published", as: "lb1" },
    unknownFields: 0,
    plan: null,
  });
});

const parsed = (facts: NodeFacts) => JSON.parse(JSON.stringify(stateJson(facts, NOW)));

Deno.test("stateJson() shows each server with what is asked for and whether HAProxy has it up", () => {
  const { services, servers, revision } = parsed(servingFacts(MODEL, { observed: RUNNING }));
  const server = { state: "ready", weight: 100, backup: false, revision: 1 };
  assertEquals(services, [
    {
      name: "s",
      servers: [
        { ...server, id: "a", address: "10.0.0.5:8080", up: true },
        { ...server, id: "b", address: "10.0.0.6:8080", up: false },
      ],
    },
    { name: "t", servers: [{ ...server, id: "c", address: "10.0.0.7:8080", up: null }] },
  ]);
  assertEquals([servers, revision], [{ total: 3, up: 1 }, 9]);
});

Deno.test("stateJson() shows held servers, and when they go at the latest", () => {
  const server = serverOf("10.0.0.7:8080", "t/c");
  const pass = { held: [{ server, since: 1_000, until: 31_000 }], endedAt: 11_000.4 };
  assertEquals(parsed(servingFacts(MODEL, pass)).held, [
    { service: "t", id: "c", address: "10.0.0.7:8080", goesInMs: 20_000 },
  ]);
});

Deno.test("stateJson() shows neither values nor meta", () => {
  const model = modelOf({ "s/a": { address: "10.0.0.5:80", meta: { token: "s3cret" } }, "s/b": "s3cret\n" });
  const text = JSON.stringify(stateJson(servingFacts(model), NOW));
  assertEquals([model.rejections.length, text.includes("s3cret")], [1, false]);
});

Deno.test("stateJson() escapes keys and reasons, which others wrote", () => {
  const model: Model = {
    ...MODEL,
    rejections: [{ key: "/services/\x1b[2J\xff/a", reason: "\u202ebad", revision: 8n }],
  };
  assertEquals(parsed(servingFacts(model)).rejections, [
    { key: "/services/\\x1b[2J\\xff/a", reason: "\\u{202e}bad", revision: 8 },
  ]);
});

Deno.test("stateJson() escapes what etcd, HAProxy and a plan said, which may quote what others wrote", () => {
  const reason = "\x1b[2J\u202e\x9b\n";
  const pass = passOf(MODEL, {
    plan: { kind: "reload", cause: "base-changed", reason, steps: [] },
    pace: { kind: "later", at: 1, reason, crowded: false },
    outcome: { kind: "failed", reason },
  });
  const facts = {
    ...servingFacts(MODEL),
    etcd: { kind: "lost", reason } as const,
    haproxy: { kind: "down", reason, retryInMs: 100 } as const,
    lastChange: { pass, at: NOW },
  };
  const shown = JSON.stringify(stateJson(facts, NOW));
  assertEquals(shown.split("\\\\x1b[2J\\\\u{202e}\\\\x9b\\\\x0a").length - 1, 6);
  assertEquals(/[^\x20-\x7e]|\\u001b|\\n/.test(shown), false);
});

Deno.test("stateJson() shows a refused base beside the one that goes on", () => {
  const { base } = parsed(servingFacts(MODEL, {
    desired: { config: { base: "a\n", servers: new Map() }, base: "last-good", pendingBackends: ["t"] },
    state: {
      refusedBase: { digest: "0123456789abcdef", reason: "no such\nkeyword", attempts: 2, retryAt: 7 },
    },
  }));
  assertEquals(base.digest.length, 12);
  assertEquals({ ...base, digest: "" }, {
    digest: "",
    from: "last-good",
    waiting: ["t"],
    refused: { digest: "0123456789ab", reason: "no such\\x0akeyword", attempts: 2 },
  });
});

Deno.test("stateJson() shows the last plan with its steps, their reasons and how it ended", () => {
  const pass = passOf(MODEL, {
    plan: {
      kind: "reload",
      cause: "many-steps",
      reason: "too many",
      steps: [{
        kind: "add",
        backend: "s",
        server: "a",
        line: { name: "a", params: "10.0.0.5:80 weight 100 check" },
        reason: "asked for at revision 5",
      }],
    },
    outcome: reached({ pending: 2 }),
    drift: 1,
    tookMs: 12.6,
  });
  const { plan } = parsed({ ...servingFacts(MODEL), lastChange: { pass, at: NOW } });
  assertEquals(plan, {
    kind: "reload",
    revision: 9,
    at: "2026-01-02T03:04:05.000Z",
    tookMs: 13,
    pace: { kind: "now" },
    outcome: "reached",
    steps: ["reload: too many", "add server s/a 10.0.0.5:80 weight 100 check: asked for at revision 5"],
    pendingRemovals: 2,
    driftRepairs: 1,
  });
});

Deno.test("stateJson() shows a plan that was put off, with the reason", () => {
  const pass = passOf(MODEL, {
    plan: { kind: "reload", cause: "base-changed", reason: "new", steps: [] },
    pace: { kind: "later", at: 5, reason: "the last reload is too recent", crowded: true },
  });
  const { plan } = parsed({ ...servingFacts(MODEL), lastChange: { pass, at: NOW } });
  assertEquals([plan.pace, plan.outcome, plan.reason, plan.steps], [
    { kind: "later", reason: "the last reload is too recent" },
    null,
    null,
    ["reload: new"],
  ]);
});

Deno.test("stateJson() shows HAProxy's complaints about a plan, escaped", () => {
  const alert = (message: string) => ({ message, line: undefined, server: undefined });
  const reasonOf = (outcome: ReturnType<typeof reached>) =>
    parsed({ ...servingFacts(MODEL), lastChange: { pass: passOf(MODEL, { outcome }), at: NOW } }).plan.reason;
  const alerts = [alert("bad\n"), alert("worse")];
  assertEquals(reasonOf({ kind: "refused", alerts }), "bad\\x0a; worse");
  assertEquals(reasonOf(reached()), undefined);
});

Deno.test("describePlan() gives no step for nothing, and one for a write", () => {
  assertEquals(describePlan({ kind: "nothing" }), []);
  assertEquals(describePlan({ kind: "write", reason: "HAProxy does not run" }), [
    "write the file: HAProxy does not run",
  ]);
});

Deno.test("isReached() says whether HAProxy runs what the pass wanted, not whether it will", () => {
  const served = (outcome: ReturnType<typeof reached> | undefined) => isReached(passOf(MODEL, { outcome }));
  assertEquals(served(reached()), true);
  assertEquals(served(reached({ observed: { kind: "down", reason: "x" } })), false);
  assertEquals(served({ kind: "incomplete", reason: "x" }), false);
  assertEquals(served(undefined), false);
});
