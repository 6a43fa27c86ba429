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

/** The host at which a client on this machine reaches a listener. */
export function reachableHost({ host }: Bind): string {
  if (host === "" || host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

/** Where a client on this machine reaches a listener. */
export function localUrl(bind: Bind): string {
  const host = reachableHost(bind);
  return `http://${host.includes(":") ? `[${host}]` : host}:${bind.port}`;
}

/** Where others reach a listener, as well as this host can tell. */
export function remoteUrl(bind: Bind, hostname: string): string {
  const isAny = bind.host === "" || bind.host === "0.0.0.0" || bind.host === "::";
  return localUrl(isAny ? { ...bind, host: hostname } : bind);
}

/** The addresses that this node lets services register: what the settings say, and none of its own listeners. */
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

/** A bind by name is on some address of this node, and so it is taken for all. */
function listener(flag: string, { host, port }: Bind): Listener {
  const isOne = ipaddr.isValid(host) && ipaddr.process(host).range() !== "unspecified";
  return { flag, ip: isOne ? host : undefined, port };
}
