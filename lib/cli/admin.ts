import { ControllerError, messageOf } from "../errors.ts";
import type { Bind } from "../options.ts";
import { hasIpv6, listenHost } from "./listen.ts";

/**
 * Serves the admin endpoints.
 *
 * @throws {ControllerError} (operator) when the address cannot be listened on
 */
export function serveAdmin(
  bind: Bind,
  handler: (request: Request) => Response | Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve(
      { hostname: listenHost(bind, hasIpv6()), port: bind.port, onListen: () => {} },
      handler,
    );
  } catch (error) {
    const state = error instanceof Deno.errors.AddrInUse ? "the address is in use" : messageOf(error);
    throw new ControllerError(
      "operator",
      `Cannot listen on --admin-bind ${bind.host}:${bind.port}: ${state}`,
      { cause: error },
    );
  }
}
