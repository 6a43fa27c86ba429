import { backoffDelay } from "../util/backoff.ts";
import { messageOf } from "../util/errors.ts";
import { log } from "../util/log.ts";
import type { Bind } from "../util/flag_kinds.ts";
import { resolvesWithin, sleep } from "../util/time.ts";
import { hasIpv6, listenHost } from "./listen.ts";

type Handler = (request: Request) => Response | Promise<Response>;
type Server = Deno.HttpServer<Deno.NetAddr>;

/** The server of the admin endpoints, or the attempts to start it. */
export interface AdminServer extends AsyncDisposable {
  /** Where it listens; undefined: not yet. */
  readonly address: string | undefined;
}

const SHUTDOWN_MS = 1_000;
const RETRY = { minMs: 100, maxMs: 2_000 };

/**
 * Serves the admin endpoints. It retries when it cannot listen on the address; the node serves traffic meanwhile.
 */
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
