import { assertEquals } from "@std/assert";
import { formatStatus, parseStatus } from "../../../lib/ack/keys.ts";
import { ownStatus } from "../../../lib/node/own_status.ts";
import type { Plan } from "../../../lib/plan/plan.ts";
import { factsOf, modelOf, passOf, servingFacts } from "../fixtures.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const ABOUT = {
  instance: "00ff00ff00ff00ff",
  revision: 9n,
  draining: ["s/a"],
  admin: "http://127.0.0.1:8405",
  now: NOW,
};
const MODEL = modelOf({ "s/a": "10.0.0.5:80", "s/b": "nonsense" });

Deno.test("ownStatus() tells what a node is that has not passed yet", () => {
  assertEquals(ownStatus(factsOf({ inheritedAt: NOW - 5_000 }), { ...ABOUT, revision: 0n }), {
    node: "lb1",
    instance: "00ff00ff00ff00ff",
    revision: 0n,
    lagMs: 0,
    base: "",
    servers: { total: 0, up: 0 },
    draining: ["s/a"],
    rejections: 0,
    held: 0,
    plan: "none",
    tookMs: 0,
    stale: true,
    at: "2026-01-02T03:04:05.000Z",
    version: "0.1.0",
    admin: "http://127.0.0.1:8405",
  });
});

Deno.test("ownStatus() tells the servers, the rejections and the base of the last pass", () => {
  const status = ownStatus(servingFacts(MODEL), ABOUT);
  assertEquals([status.servers.total, status.rejections, status.stale], [1, 1, false]);
  assertEquals(/^[0-9a-f]{12}$/.test(status.base), true);
});

Deno.test("ownStatus() counts the servers that are held", () => {
  const [service] = MODEL.services;
  const held = (service?.servers ?? []).map((server) => ({ server, since: 0, until: 1 }));
  assertEquals(ownStatus(servingFacts(MODEL, { held }), ABOUT).held, 1);
});

Deno.test("ownStatus() writes what readers take", () => {
  const status = ownStatus({ ...servingFacts(MODEL), lagMs: 1.5 }, ABOUT);
  assertEquals(parseStatus(new TextEncoder().encode(formatStatus(status))), { ok: true, value: status });
});

const plans: [plan: Plan, told: string][] = [
  [{ kind: "runtime", steps: [] }, "runtime"],
  [{ kind: "reload", cause: "base-changed", reason: "x", steps: [] }, "reload"],
  [{ kind: "write", reason: "x" }, "none"],
];
for (const [plan, told] of plans) {
  Deno.test(`ownStatus() calls a plan to ${plan.kind} ${told}`, () => {
    const lastChange = { pass: passOf(MODEL, { plan, tookMs: 4.4 }), at: NOW };
    const status = ownStatus({ ...servingFacts(MODEL), lastChange }, ABOUT);
    assertEquals([status.plan, status.tookMs], [told, 4]);
  });
}
