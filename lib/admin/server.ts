import { Hono } from "hono";
import { type NodeFacts, readinessOf, stateJson } from "../status.ts";

/** What the admin server shows. */
export interface AdminPorts {
  readonly facts: () => NodeFacts;
  readonly metricsText: () => Promise<string>;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}

/** The admin endpoints as one function from request to response. They only read. */
export function createAdmin(
  { facts, metricsText, now }: AdminPorts,
): (request: Request) => Response | Promise<Response> {
  const app = new Hono();
  app.get("/healthz", (context) => context.json({ status: "ok" }));
  app.get("/readyz", (context) => {
    const readiness = readinessOf(facts(), now());
    return context.json(readiness, readiness.ready ? 200 : 503);
  });
  app.get(
    "/metrics",
    async (context) =>
      context.text(await metricsText(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
  app.get("/api/state", (context) => context.json(stateJson(facts(), now())));
  app.notFound((context) =>
    context.json({ error: "no such page", pages: ["/healthz", "/readyz", "/metrics", "/api/state"] }, 404)
  );
  return (request) => app.fetch(request);
}
