import { assertEquals } from "@std/assert";
import { drainingServers, keptAway } from "../../../lib/ack/draining.ts";
import type { Observed, ObservedServer } from "../../../lib/plan/observed.ts";
import type { Pass } from "../../../lib/reconcile/pass.ts";
import { modelOf, observed, type PassChanges, passOf, reached, serverOf } from "../fixtures.ts";

function running(backend: string, ...servers: ObservedServer[]): Observed {
  return {
    kind: "up",
    base: undefined,
    servers: new Map([[backend, new Map(servers.map((s) => [s.name, s]))]]),
  };
}

const RUNNING = running(
  "api",
  observed("ready"),
  observed("drained", { weight: 0 }),
  observed("maint", { maint: true }),
  observed("going", { draining: true }),
);
const pass = (changes: PassChanges = {}, entries = {}) =>
  passOf(modelOf(entries), { outcome: reached({ observed: RUNNING }), ...changes });
const listed = (pass: Pass, used: { now?: string[]; byOldWorkers?: string[] } = {}) =>
  drainingServers(keptAway(pass), { now: [], byOldWorkers: [], ...used });

Deno.test("keptAway() names the servers that get no request, and the backends to ask about", () => {
  const away = keptAway(pass());
  assertEquals([...away.idleOrDraining], ["api/drained", "api/maint", "api/going"]);
  assertEquals([away.backends, away.stillServing], [["api"], []]);
});

Deno.test("keptAway() asks about no backend whose servers all get requests", () => {
  assertEquals(
    keptAway(pass({ outcome: reached({ observed: running("api", observed("a")) }) })).backends,
    [],
  );
});

Deno.test("drainingServers() lists servers that still have requests and get no new ones", () => {
  assertEquals(listed(pass(), { now: ["api/going", "api/drained", "api/ready"] }), [
    "api/drained",
    "api/going",
  ]);
});

Deno.test("drainingServers() lists what old workers hold, unless the worker of now serves it", () => {
  assertEquals(listed(pass(), { byOldWorkers: ["api/ready", "api/drained", "api/gone"] }), [
    "api/drained",
    "api/gone",
  ]);
});

Deno.test("drainingServers() lists servers that the guard holds, which get requests though they left", () => {
  const held = [{ server: serverOf("10.0.0.5:80", "api/ready"), since: 0, until: 1 }];
  assertEquals(listed(pass({ held })), ["api/ready"]);
});

Deno.test("drainingServers() lists servers that are to stop and wait for a reload that is refused", () => {
  const desired: Pass["decision"]["desired"] = {
    config: { base: "", servers: new Map([["plain", []]]) },
    base: "last-good",
    pendingBackends: [],
  };
  const other = running("api", observed("stays"), observed("leaves"), observed("gone"));
  const entries = { "api/stays": "10.0.0.5:80", "api/leaves": { address: "10.0.0.5:80", state: "drain" } };
  assertEquals(listed(pass({ desired, outcome: reached({ observed: other }) }, entries)), [
    "api/gone",
    "api/leaves",
  ]);
});

Deno.test("drainingServers() lists servers that an override keeps serving though they ask for no new request", () => {
  const entry = { address: "10.0.0.5:80", state: "drain" };
  const overrides = { "api/ready": { state: "ready" }, "api/drained": { state: "ready", weight: 0 } };
  const model = modelOf({ "api/ready": entry, "api/drained": entry }, overrides);
  assertEquals(listed(passOf(model, { outcome: reached({ observed: RUNNING }) })), ["api/ready"]);
});

Deno.test("drainingServers() lists nothing while HAProxy does not run", () => {
  assertEquals(listed(pass({ outcome: reached({ observed: { kind: "down", reason: "x" } }) })), []);
});
