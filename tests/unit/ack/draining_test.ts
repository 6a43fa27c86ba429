import { assertEquals } from "@std/assert";
import { drainingServers, keptAway } from "../../../lib/ack/draining.ts";
import type { Observed, ObservedServer } from "../../../lib/plan/observed.ts";
import type { PassReport } from "../../../lib/reconcile/reconcile.ts";
import { modelOf, observed, reached, reportOf, serverOf } from "../fixtures.ts";

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
const report = (changes: Partial<PassReport> = {}, entries = {}) =>
  reportOf(modelOf(entries), { outcome: reached({ observed: RUNNING }), ...changes });
const listed = (report: PassReport, used: { now?: string[]; byOldWorkers?: string[] } = {}) =>
  drainingServers(keptAway(report), { now: [], byOldWorkers: [], ...used });

Deno.test("keptAway() names the servers that get no request, and the backends to ask about", () => {
  const away = keptAway(report());
  assertEquals([...away.idleOrDraining], ["api/drained", "api/maint", "api/going"]);
  assertEquals([away.backends, away.served], [["api"], []]);
});

Deno.test("keptAway() asks about no backend whose servers all get requests", () => {
  assertEquals(
    keptAway(report({ outcome: reached({ observed: running("api", observed("a")) }) })).backends,
    [],
  );
});

Deno.test("drainingServers() lists those that hold requests and get none", () => {
  assertEquals(listed(report(), { now: ["api/going", "api/drained", "api/ready"] }), [
    "api/drained",
    "api/going",
  ]);
});

Deno.test("drainingServers() lists what old workers hold, unless the worker of now serves it", () => {
  assertEquals(listed(report(), { byOldWorkers: ["api/ready", "api/drained", "api/gone"] }), [
    "api/drained",
    "api/gone",
  ]);
});

Deno.test("drainingServers() lists servers that the guard holds, which get requests though they left", () => {
  const held = [{ server: serverOf("10.0.0.5:80", "api/ready"), since: 0, until: 1 }];
  assertEquals(listed(report({ held })), ["api/ready"]);
});

Deno.test("drainingServers() lists servers that are to stop and wait for a reload that is refused", () => {
  const desired: PassReport["desired"] = {
    config: { base: "", servers: new Map([["plain", []]]) },
    base: "last-good",
    waiting: [],
  };
  const other = running("api", observed("stays"), observed("leaves"), observed("gone"));
  const entries = { "api/stays": "10.0.0.5:80", "api/leaves": { address: "10.0.0.5:80", state: "drain" } };
  assertEquals(listed(report({ desired, outcome: reached({ observed: other }) }, entries)), [
    "api/gone",
    "api/leaves",
  ]);
});

Deno.test("drainingServers() lists servers that an override keeps serving though they ask for no new request", () => {
  const entry = { address: "10.0.0.5:80", state: "drain" };
  const overrides = { "api/ready": { state: "ready" }, "api/drained": { state: "ready", weight: 0 } };
  const model = modelOf({ "api/ready": entry, "api/drained": entry }, overrides);
  assertEquals(listed(reportOf(model, { outcome: reached({ observed: RUNNING }) })), ["api/ready"]);
});

Deno.test("drainingServers() lists nothing while HAProxy does not run", () => {
  assertEquals(listed(report({ outcome: reached({ observed: { kind: "down", reason: "x" } }) })), []);
});
