import { assertEquals, assertMatch } from "@std/assert";
import { createAdmin } from "../../../lib/node/admin.ts";
import type { NodeFacts } from "../../../lib/node/facts.ts";
import { factsOf, modelOf, servingFacts } from "../fixtures.ts";

const SERVING = servingFacts(modelOf({ "s/a": "10.0.0.5:80" }));

function get(path: string, { facts = SERVING, method = "GET" }: { facts?: NodeFacts; method?: string } = {}) {
  const admin = createAdmin({
    facts: () => Promise.resolve(facts),
    metrics: { text: () => Promise.resolve("up 1\n") },
    events: (request) => new Response(new URL(request.url).search),
    now: () => 9_000,
  });
  return admin(new Request(`http://127.0.0.1:8405${path}`, { method }));
}

Deno.test("createAdmin() answers /healthz while the process lives, whatever else is wrong", async () => {
  const response = await get("/healthz", {
    facts: factsOf({ stopping: true, haproxy: { kind: "stopped" } }),
  });
  assertEquals([response.status, await response.json()], [200, { status: "ok" }]);
});

const readyz: Record<string, [facts: NodeFacts, status: number, body: unknown]> = {
  "a node that serves": [SERVING, 200, { ready: true, stale: false }],
  "a stale node": [factsOf({ inheritedAt: 4_000 }), 200, { ready: true, stale: true, ageMs: 5_000 }],
  "a node without any state": [factsOf(), 503, {
    ready: false,
    reason: "the registry was not read yet",
  }],
  "a node that stops": [{ ...SERVING, stopping: true }, 503, { ready: false, reason: "stopping" }],
};

for (const [what, [facts, status, body]] of Object.entries(readyz)) {
  Deno.test(`createAdmin() answers /readyz of ${what} with ${status}`, async () => {
    const response = await get("/readyz", { facts });
    const { problems, ...readiness } = await response.json();
    assertEquals([response.status, readiness, problems], [status, body, []]);
  });
}

for (const path of ["/readyz", "/api/state"]) {
  Deno.test(`createAdmin() tells on ${path} what is wrong with a node that serves on`, async () => {
    const response = await get(path, {
      facts: servingFacts(modelOf({}), { state: { applyError: "Cannot write x: no space" } }),
    });
    const { problems } = await response.json();
    const expected = [{ kind: "not-applied", reason: "Cannot write x: no space" }];
    assertEquals([response.status, problems], [200, expected]);
  });
}

Deno.test("createAdmin() gives the metrics in the text format of Prometheus", async () => {
  const response = await get("/metrics");
  assertEquals([response.status, await response.text()], [200, "up 1\n"]);
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
});

Deno.test("createAdmin() gives the state in ASCII, so that a terminal obeys nothing in it", async () => {
  const response = await get("/api/state", { facts: { ...SERVING, node: "\u202e\x9b\x1b" } });
  const text = await response.text();
  assertMatch(text, /^[\x20-\x7e]+$/);
  assertEquals(JSON.parse(text).node, "\u202e\x9b\x1b");
  assertEquals(response.headers.get("content-type"), "application/json");
});

Deno.test("createAdmin() gives the state as JSON", async () => {
  const response = await get("/api/state");
  const { node, services } = await response.json();
  assertEquals([response.status, node, services.length], [200, "lb1", 1]);
  assertMatch(response.headers.get("content-type") ?? "", /^application\/json/);
});

Deno.test("createAdmin() answers HEAD as GET, without a body", async () => {
  const response = await get("/readyz", { method: "HEAD" });
  assertEquals([response.status, await response.text()], [200, ""]);
});

for (
  const [method, path] of [["GET", "/"], ["GET", "/api/state/x"], ["POST", "/readyz"], [
    "DELETE",
    "/api/state",
  ]]
) {
  Deno.test(`createAdmin() answers ${method} ${path} with 404 and the pages that there are`, async () => {
    const response = await get(path ?? "", { method: method ?? "" });
    const { pages } = await response.json();
    const there = ["/healthz", "/readyz", "/metrics", "/api/state", "/api/v1/events"];
    assertEquals([response.status, pages], [404, there]);
  });
}

Deno.test("createAdmin() asks for the facts at each request", async () => {
  let facts = factsOf();
  const admin = createAdmin({
    facts: () => Promise.resolve(facts),
    metrics: { text: () => Promise.resolve("") },
    events: () => new Response(),
    now: () => 0,
  });
  const ready = async () => (await admin(new Request("http://127.0.0.1:8405/readyz"))).status;
  const before = await ready();
  facts = SERVING;
  assertEquals([before, await ready()], [503, 200]);
});

Deno.test("createAdmin() hands /api/v1/events to the page of events", async () => {
  assertEquals(await (await get("/api/v1/events?after=s1-3")).text(), "?after=s1-3");
});
