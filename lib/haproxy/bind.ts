/** Names are left out: `Deno.listen` looks a name up and blocks the whole process meanwhile. */
const IS_ADDRESS = /^[\d.]+$|:|^localhost$/;

/**
 * Binds an address of a `bind` line for a moment. Returns the reason when another process uses it. HAProxy itself reports
 * all other errors.
 */
export function tryBind(address: string): string | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:@/]*)):(\d+)$/.exec(address);
  if (match === null) return undefined;
  const [, ipv6, host = "", port] = match;
  const hostname = ipv6 ?? (host === "" || host === "*" ? "0.0.0.0" : host);
  if (!IS_ADDRESS.test(hostname)) return undefined;
  try {
    Deno.listen({ hostname, port: Number(port) }).close();
    return undefined;
  } catch (error) {
    return error instanceof Deno.errors.AddrInUse ? "the address is in use by another process" : undefined;
  }
}
