import type { Bind } from "../options.ts";

/** Whether this host has IPv6, so that one socket can serve both families. */
export function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

/** The words of HAProxy's `bind` line. */
export function bindWords({ host, port }: Bind, ipv6: boolean): string {
  if (host === "") return ipv6 ? `[::]:${port} v4v6` : `0.0.0.0:${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The host to listen on for the admin server. */
export function listenHost({ host }: Bind, ipv6: boolean): string {
  if (host !== "") return host;
  return ipv6 ? "::" : "0.0.0.0";
}

/** Where a client on this machine reaches a listener. */
export function localUrl({ host, port }: Bind): string {
  const reachable = host === "" || host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/** Where others reach a listener, as well as this host can tell. */
export function remoteUrl(bind: Bind): string {
  const isAny = bind.host === "" || bind.host === "0.0.0.0" || bind.host === "::";
  return localUrl(isAny ? { ...bind, host: Deno.hostname() } : bind);
}
