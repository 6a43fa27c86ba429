import { Hono } from "hono";
import { asciiJson } from "../util/escape.ts";
import { type NodeFacts, readinessOf, stateJson } from "./facts.ts";
import type { Metrics } from "./metrics.ts";
import { problemsOf } from "./problems.ts";

/** What the admin endpoints work with. */
export interface AdminPorts {
  /** What is known about the node; with `health` HAProxy is asked for the health of its servers, which takes time. */
  readonly facts: (options: { readonly health: boolean }) => Promise<NodeFacts>;
  readonly metrics: Pick<Metrics, "text">;
  readonly events: (request: Request) => Response;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}

const PAGES = ["/healthz", "/readyz", "/metrics", "/api/state", "/api/v1/events"];

/** Creates the admin endpoints, which only read, as one function from request to response. */
export function createAdmin(
  { facts, metrics, events, now }: AdminPorts,
): (request: Request) => Response | Promise<Response> {
  const app = new Hono();
  app.get("/healthz", (context) => context.json({ status: "ok" }));
  app.get("/readyz", async (context) => {
    const known = await facts({ health: false });
    const readiness = readinessOf(known, now());
    return context.json({ ...readiness, problems: problemsOf(known) }, readiness.ready ? 200 : 503);
  });
  app.get("/metrics", async (context) => {
    const text = await metrics.text(await facts({ health: true }), now());
    return context.text(text, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  });
  app.get("/api/state", async (context) => {
    const known = await facts({ health: true });
    const text = asciiJson({ ...stateJson(known, now()), problems: problemsOf(known) });
    return context.body(text, 200, { "content-type": "application/json" });
  });
  app.get("/api/v1/events", (context) => events(context.req.raw));
  app.notFound((context) => context.json({ error: "no such page", pages: PAGES }, 404));
  return (request) => app.fetch(request);
}
