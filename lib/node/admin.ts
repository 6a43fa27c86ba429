import { Hono } from "hono";
import { backoffDelay } from "../util/backoff.ts";
import { messageOf } from "../util/errors.ts";
import { asciiJson } from "../util/escape.ts";
import type { Bind } from "../util/flag_kinds.ts";
import { log } from "../util/log.ts";
import { resolvesWithin, sleep } from "../util/time.ts";
import { type NodeFacts, readinessOf, stateJson } from "./facts.ts";
import { hasIpv6, listenHost } from "./listen.ts";
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

type Handler = (request: Request) => Response | Promise<Response>;

/** Creates the admin endpoints, which only read, as one function from request to response. */
export function createAdmin({ facts, metrics, events, now }: AdminPorts): Handler {
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

type Server = Deno.HttpServer<Deno.NetAddr>;

/** The server of the admin endpoints, or the attempts to start it. */
export interface AdminServer extends AsyncDisposable {
  /** Where it listens; undefined: not yet. */
  readonly address: string | undefined;
}

const SHUTDOWN_MS = 1_000;
const RETRY = { minMs: 100, maxMs: 2_000 };

/** Serves the admin endpoints. It retries when it cannot listen on the address; the node serves traffic meanwhile. */
export function serveAdmin(bind: Bind, handler: Handler): AdminServer {
  const stop = new AbortController();
  let server: Server | undefined;
  /** Returns why it failed. */
  const tryServe = (): string | undefined => {
    try {
      const hostname = listenHost(bind, hasIpv6());
      server = Deno.serve({ hostname, port: bind.port, onListen: () => {} }, handler);
      return undefined;
    } catch (error) {
      return error instanceof Deno.errors.AddrInUse ? "the address is in use" : messageOf(error);
    }
  };
  const retry = async (reason: string): Promise<void> => {
    log().error("cannot listen on --admin-bind, retrying", { bind: `${bind.host}:${bind.port}`, reason });
    for (let attempt = 1; server === undefined; attempt++) {
      await sleep(backoffDelay({ ...RETRY, attempt, random: Math.random() }), stop.signal);
      if (stop.signal.aborted) return;
      tryServe();
    }
    log().info("admin endpoints served", { admin: addressOf(server) });
  };
  const failure = tryServe();
  const retrying = failure === undefined ? undefined : retry(failure);
  return {
    address: server && addressOf(server),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await retrying;
      // A client that does not read its answer must not delay the end of the node.
      if (server !== undefined) await resolvesWithin(server.shutdown(), SHUTDOWN_MS);
    },
  };
}

function addressOf({ addr }: Server): string {
  return `${addr.hostname}:${addr.port}`;
}
