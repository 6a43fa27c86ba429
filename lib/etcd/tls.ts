import net from "node:net";
import tls from "node:tls";

/**
 * Makes TLS work to an endpoint that is given as an IP address. grpc-js passes the host as `servername`, and Deno 2.8
 * and later refuse an address there (RFC 6066 section 3 allows names only). Without a server name the certificate is
 * checked against the address itself, by its IP subject alternative names.
 */
export function acceptIpEndpoints(): void {
  const connect = tls.connect;
  // `http2.connect()` calls with port, host and options, others with options alone.
  const patched = (...args: unknown[]): unknown => Reflect.apply(connect, tls, args.map(withoutIpServername));
  Object.assign(tls, { connect: patched });
}

function withoutIpServername(options: unknown): unknown {
  if (typeof options !== "object" || options === null) return options;
  const { servername, ...others } = options as { servername?: unknown; host?: unknown };
  if (typeof servername !== "string" || net.isIP(servername) === 0) return options;
  return { ...others, host: others.host ?? servername };
}
