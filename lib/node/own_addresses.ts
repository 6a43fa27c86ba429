import ipaddr from "ipaddr.js";
import type { Listener, Networks } from "../registry/allowed_addresses.ts";
import type { Bind } from "../util/flag_kinds.ts";
import type { RenderOptions } from "../config/options.ts";

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
