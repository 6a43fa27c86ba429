import ipaddr from "ipaddr.js";
import type { RenderOptions } from "../config/options.ts";
import type { Listener, Networks } from "../registry/allowed_addresses.ts";
import type { Bind } from "../util/flag_kinds.ts";

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

/** The host by which a client on this machine reaches a listener. */
export function reachableHost({ host }: Bind): string {
  if (host === "" || host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

/** The URL of a listener for a client on this machine. */
export function localUrl(bind: Bind): string {
  const host = reachableHost(bind);
  return `http://${host.includes(":") ? `[${host}]` : host}:${bind.port}`;
}

/** The URL of a listener for clients on other machines, as far as this host knows. */
export function remoteUrl(bind: Bind, hostname: string): string {
  const isAny = bind.host === "" || bind.host === "0.0.0.0" || bind.host === "::";
  return localUrl(isAny ? { ...bind, host: hostname } : bind);
}

/** The addresses that services may register at this node: as the settings say, but none of its own listeners. */
export function networksOf({ bind, statsBind, serverNetworks }: RenderOptions, adminBind: Bind): Networks {
  return {
    allowed: serverNetworks,
    listeners: [
      listener("--bind", bind),
      listener("--stats-bind", statsBind),
      listener("--admin-bind", adminBind),
    ],
    ownIps: Deno.networkInterfaces().map(({ address }) => address).filter(ipaddr.isValid),
  };
}

/** A bind by name listens on an unknown address of this node, so it counts for all of them. */
function listener(flag: string, { host, port }: Bind): Listener {
  const isOne = ipaddr.isValid(host) && ipaddr.process(host).range() !== "unspecified";
  return { flag, ip: isOne ? host : undefined, port };
}
