import { backoffDelay } from "../util/backoff.ts";
import { messageOf } from "../util/errors.ts";
import { log } from "../util/log.ts";
import type { Bind } from "../util/flag_kinds.ts";
import { resolvesWithin, sleep } from "../util/time.ts";
import { hasIpv6, listenHost } from "./listen.ts";

type Handler = (request: Request) => Response | Promise<Response>;
type Server = Deno.HttpServer<Deno.NetAddr>;

/** The admin endpoints of a node, or the attempts to serve them. */
export interface AdminServer extends AsyncDisposable {
  /** Where they are served; undefined: nowhere yet. */
  readonly address: string | undefined;
}

const SHUTDOWN_MS = 1_000;
const RETRY = { minMs: 100, maxMs: 2_000 };

/**
 * Serves the admin endpoints. An address that cannot be listened on is tried again until it can: who only looks at the
 * node must not keep it from serving.
 */
export function serveAdmin(bind: Bind, handler: Handler): AdminServer {
  const stop = new AbortController();
  let server = tryServe(bind, handler);
  const serving = server.kind === "failed" ? retry(server.reason) : Promise.resolve();

  async function retry(reason: string): Promise<void> {
    const where = `${bind.host}:${bind.port}`;
    log().error("cannot listen on --admin-bind, trying on", { bind: where, reason });
    for (let attempt = 1; server.kind === "failed"; attempt++) {
      await sleep(backoffDelay({ ...RETRY, attempt, random: Math.random() }), stop.signal);
      if (stop.signal.aborted) return;
      server = tryServe(bind, handler);
    }
    log().info("admin endpoints served", { admin: addressOf(server.server) });
  }

  return {
    address: server.kind === "serving" ? addressOf(server.server) : undefined,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await serving;
      // A client that does not read its answer must not keep the node from ending.
      if (server.kind === "serving") await resolvesWithin(server.server.shutdown(), SHUTDOWN_MS);
    },
  };
}

type Attempt =
  | { readonly kind: "serving"; readonly server: Server }
  | { readonly kind: "failed"; readonly reason: string };

function tryServe(bind: Bind, handler: Handler): Attempt {
  try {
    const hostname = listenHost(bind, hasIpv6());
    return {
      kind: "serving",
      server: Deno.serve({ hostname, port: bind.port, onListen: () => {} }, handler),
    };
  } catch (error) {
    const reason = error instanceof Deno.errors.AddrInUse ? "the address is in use" : messageOf(error);
    return { kind: "failed", reason };
  }
}

function addressOf({ addr }: Server): string {
  return `${addr.hostname}:${addr.port}`;
}
