import { ControllerError } from "../lib/util/errors.ts";

/** Both families; a host without IPv6 has the second only. */
const ALL_ADDRESSES = ["::", "0.0.0.0"];

/**
 * Answers on all addresses of the host until it is shut down.
 *
 * @throws {ControllerError} of kind `operator` if the port cannot be listened on
 */
export function serve({ name, port }: { readonly name: string; readonly port: number }): Deno.HttpServer {
  let cause: unknown;
  for (const hostname of ALL_ADDRESSES) {
    try {
      return Deno.serve({ hostname, port, onListen: () => {} }, (request) => answer(request, name));
    } catch (error) {
      cause = error;
      if (error instanceof Deno.errors.AddrInUse) break;
    }
  }
  throw new ControllerError("operator", `Cannot listen on port ${port}: ${reasonOf(cause)}`, { cause });
}

/** Answers one request, with the name of this backend in a header. */
export async function answer(request: Request, name: string): Promise<Response> {
  // A connection can be kept alive only if its request was read to the end. A client that is gone needs no answer.
  await request.body?.pipeTo(new WritableStream()).catch(() => {});
  const text = new URL(request.url).pathname === "/healthz" ? "ok" : name;
  return new Response(`${text}\n`, { headers: { "x-backend": name } });
}

function reasonOf(cause: unknown): string {
  return cause instanceof Deno.errors.AddrInUse ? "it is in use" : String(cause);
}
