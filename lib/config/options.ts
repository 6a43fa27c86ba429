import { type Network, parseNetworks } from "../registry/allowed_addresses.ts";
import {
  type Bind,
  optional,
  type RawOptions,
  readBind,
  readDuration,
  spec,
  text,
  usage,
} from "../util/options.ts";

/** Settings of the configuration that is rendered. */
export const RENDER_OPTIONS = [
  spec("bind", "address", "LB_BIND", ":80", "where traffic is accepted; an empty host means IPv4 and IPv6"),
  spec(
    "stats-bind",
    "address",
    "LB_STATS_BIND",
    "127.0.0.1:8404",
    "statistics page and Prometheus exporter of HAProxy",
  ),
  spec(
    "config",
    "file",
    "HAPROXY_CONFIG",
    "/etc/haproxy/haproxy.cfg",
    "the configuration file that is managed",
  ),
  spec(
    "state-dir",
    "dir",
    "STATE_DIR",
    "/var/lib/etcd-haproxy",
    "sockets and last good configuration; at most 70 bytes",
  ),
  spec("haproxy", "file", "HAPROXY_BIN", "haproxy", "the haproxy program, looked up in PATH"),
  spec(
    "template",
    "file",
    "HAPROXY_TEMPLATE",
    undefined,
    "template of the configuration (default: the embedded one)",
  ),
  spec(
    "hard-stop-after",
    "time",
    "HARD_STOP_AFTER_MS",
    "10m",
    "how long a retired worker may go on; bounds WebSockets too",
  ),
  spec(
    "server-networks",
    "cidrs",
    "SERVER_NETWORKS",
    undefined,
    "networks that servers may be in, separated by commas; names are rejected then (default: all but link-local)",
  ),
] as const;

export interface RenderOptions {
  readonly bind: Bind;
  readonly statsBind: Bind;
  readonly config: string;
  readonly stateDir: string;
  readonly haproxy: string;
  readonly template: string | undefined;
  readonly hardStopAfterMs: number;
  /** Undefined: all but link-local. */
  readonly serverNetworks: readonly Network[] | undefined;
}

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readRenderOptions(raw: RawOptions): RenderOptions {
  return {
    bind: readBind(raw, "bind"),
    statsBind: readBind(raw, "stats-bind"),
    config: readPath(raw, "config"),
    stateDir: readPath(raw, "state-dir"),
    haproxy: text(raw, "haproxy"),
    template: optional(raw, "template"),
    hardStopAfterMs: readDuration(raw, "hard-stop-after", { minMs: 1 }),
    serverNetworks: readNetworks(raw),
  };
}

function readNetworks(raw: RawOptions): readonly Network[] | undefined {
  const value = optional(raw, "server-networks");
  if (value === undefined) return undefined;
  const networks = parseNetworks(value);
  if (!networks.ok) throw usage(`--server-networks ${networks.reason}`);
  return networks.value;
}

function readPath(raw: RawOptions, flag: string): string {
  const value = text(raw, flag);
  if (/[\0\n\r]/.test(value)) throw usage(`--${flag} holds a line break`);
  return value;
}
