import { type Host, parseHost } from "../registry/address.ts";
import { parseEntry } from "../registry/entry.ts";
import { defaultId, entryValue, type OwnEntry } from "../registry/entry_format.ts";
import { type Given, readFlags, type Sources, usage, wrong } from "../util/flag.ts";
import { duration, integer, optional, pairs, setting, text } from "../util/flag_kinds.ts";

/** One day. */
const MAX_TTL_SECONDS = 86_400;
const COUNT = { min: 1, max: 1_000 };

/** Settings of a registration. */
export const REGISTER_FLAGS = {
  service: text("service SERVICE_NAME", "service to register in"),
  port: integer("port SERVICE_PORT", "port that the process listens on", { min: 1, max: 65_535 }),
  id: optional(text("id SERVICE_ID", "id in the service"), "host name and port"),
  host: optional(
    setting("address SERVICE_ADDRESS", "host to register, without a port", {
      value: "host",
      parse: readHost,
    }),
    "the address that reaches etcd",
  ),
  weight: optional(integer("weight SERVICE_WEIGHT", "weight, at most 256", { max: 256 }), "100"),
  maxconn: optional(
    integer("maxconn SERVICE_MAXCONN", "most connections from each node", { max: 1_000_000 }),
    "no limit",
  ),
  meta: pairs("meta", "more data for the entry; may be repeated"),
  check: optional(
    setting(
      "check SERVICE_CHECK",
      "register only while it passes: http://host:port/path, tcp://host:port or tcp",
      {
        value: "url",
        parse: readTarget,
      },
    ),
  ),
  checkIntervalMs: duration(
    "check-interval CHECK_INTERVAL_MS=2s",
    "time between checks; a quarter of it while the check fails",
    { minMs: 10 },
  ),
  rise: integer("rise CHECK_RISE=2", "passes in a row before the process is registered", COUNT),
  fall: integer("fall CHECK_FALL=3", "failed checks in a row before its key is removed", COUNT),
  leaseTtlSeconds: integer("lease-ttl LEASE_TTL=10", "TTL of the key: it outlives a crash for that long", {
    min: 1,
    max: MAX_TTL_SECONDS,
    value: "seconds",
  }),
  drainTimeoutMs: duration(
    "drain-timeout DRAIN_TIMEOUT_MS=10s",
    "on SIGTERM: longest wait for nodes to drain it",
  ),
  stopTimeoutMs: duration(
    "stop-timeout STOP_TIMEOUT_MS=10s",
    "then: longest wait for the command and its children to end",
  ),
};

/** What to check: with a path an HTTP request, else a TCP connection. */
export interface CheckTarget {
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
}

/** When a process is registered: always, or while a check passes. */
export interface HealthCheck {
  readonly target: CheckTarget;
  readonly intervalMs: number;
  readonly rise: number;
  readonly fall: number;
}

/** What to register, and how to deregister it. */
export interface RegisterOptions {
  readonly service: string;
  readonly id: string;
  /** Undefined: the address that reaches etcd. */
  readonly host: Host | undefined;
  readonly port: number;
  readonly entry: Omit<OwnEntry, "address">;
  readonly check: HealthCheck | undefined;
  readonly leaseTtlSeconds: number;
  readonly drainTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

/**
 * Reads the settings. The entry is checked as nodes will check it, so that a rejected entry is never registered.
 *
 * @throws {ControllerError} (usage) naming the flag or the variable that is wrong
 */
export function readRegisterOptions(sources: Sources, hostname: string): RegisterOptions {
  const { weight, maxconn, meta, check, checkIntervalMs, rise, fall, ...options } = readFlags(
    REGISTER_FLAGS,
    sources,
  );
  const { port, id = defaultId(hostname, port) } = options;
  return withValidEntry({
    ...options,
    id,
    entry: { weight, maxconn, meta },
    check: check &&
      { target: { ...check, port: check.port ?? port }, intervalMs: checkIntervalMs, rise, fall },
  });
}

/** Takes the place of a host that is not known yet. It is valid, so that only the rest of the entry can be wrong. */
const SOME_HOST: Host = { kind: "ipv4", text: "192.0.2.1" };

function withValidEntry(options: RegisterOptions): RegisterOptions {
  const { service, id, port, host = SOME_HOST, entry } = options;
  const value = entryValue({ ...entry, address: { host, port } }, "ready");
  const key = `/${service}/${id}`;
  const result = parseEntry(
    { key, value: new TextEncoder().encode(value), modRevision: 0n, hasLease: true },
    "/",
  );
  if (result.ok) return options;
  throw usage(`Cannot register ${JSON.stringify(`${service}/${id}`)}: ${result.reason}`);
}

function readHost(text: string, given: Given): Host {
  if (/^(\[.*\]|[^:]*):[^:]*$/.test(text)) {
    throw wrong(given, "takes no port, because the port has a setting of its own");
  }
  const host = parseHost(text);
  if (!host.ok) throw wrong(given, `is not a host without a port: ${host.reason}`);
  return host.value;
}

/** The port is undefined for `tcp`: that of the process. */
function readTarget(text: string, given: Given): Omit<CheckTarget, "port"> & { port: number | undefined } {
  if (text === "tcp") return { host: "127.0.0.1", port: undefined, path: undefined };
  const url = /^(http|tcp):\/\/[^/]/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  const host = url?.hostname.replace(/^\[|\]$/g, "") ?? "";
  const isTcp = url?.protocol === "tcp:";
  const port = Number(url?.port || (isTcp ? NaN : 80));
  if (url === undefined || host === "" || !(port > 0) || url.username !== "" || url.password !== "") {
    throw wrong(given, "is not http://host:port/path, tcp://host:port or tcp");
  }
  return { host, port, path: isTcp ? undefined : `${url.pathname}${url.search}` };
}
