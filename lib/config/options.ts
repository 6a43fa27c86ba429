import { type Network, parseNetworks } from "../registry/allowed_addresses.ts";
import { type Given, usage, type Values } from "../util/flag.ts";
import { bind, duration, optional, path, setting } from "../util/flag_kinds.ts";

/** Settings of the configuration that is rendered. */
export const RENDER_FLAGS = {
  bind: bind("bind LB_BIND=:80", "address to accept traffic on; an empty host means IPv4 and IPv6"),
  statsBind: bind("stats-bind LB_STATS_BIND=127.0.0.1:8404", "HAProxy's statistics page and its metrics"),
  config: path("config HAPROXY_CONFIG=/etc/haproxy/haproxy.cfg", "HAProxy configuration file to manage"),
  stateDir: path(
    "state-dir STATE_DIR=/var/lib/etcd-haproxy",
    "directory for sockets and the last good configuration; at most 70 bytes",
  ),
  haproxy: path("haproxy HAPROXY_BIN=haproxy", "HAProxy program, looked up in PATH"),
  template: optional(path("template HAPROXY_TEMPLATE", "template of the configuration"), "the embedded one"),
  hardStopAfterMs: duration(
    "hard-stop-after HARD_STOP_AFTER_MS=10m",
    "how long a worker may finish its connections after a reload, WebSockets included",
    { minMs: 1 },
  ),
  /** Undefined: all but link-local. */
  serverNetworks: optional(
    setting(
      "server-networks SERVER_NETWORKS",
      "allowed networks of servers, separated by commas; excludes host names",
      {
        value: "cidrs",
        parse: readNetworks,
      },
    ),
    "all but link-local",
  ),
};

export type RenderOptions = Values<typeof RENDER_FLAGS>;

function readNetworks(text: string, { name }: Given): readonly Network[] {
  const networks = parseNetworks(text);
  if (!networks.ok) throw usage(`${name} ${networks.reason}`);
  return networks.value;
}
