import { type Host, parseHost } from "../registry/address.ts";
import { parseEntry } from "../registry/entry.ts";
import {
  optional,
  type OptionSpec,
  type RawOptions,
  readDuration,
  spec,
  text,
  usage,
} from "../util/options.ts";
import { defaultId, entryValue, type OwnEntry } from "../registry/entry_format.ts";

/** Settings of a registration. */
export const REGISTER_OPTIONS: readonly OptionSpec[] = [
  spec("service", "name", "SERVICE_NAME", undefined, "the service that it belongs to"),
  spec("port", "port", "SERVICE_PORT", undefined, "where it listens"),
  spec("id", "name", "SERVICE_ID", undefined, "its id in the service (default: <host's name>-<port>)"),
  spec(
    "address",
    "host",
    "SERVICE_ADDRESS",
    undefined,
    "its host, without a port (default: that of the interface that reaches etcd)",
  ),
  spec("weight", "number", "SERVICE_WEIGHT", undefined, "0 to 256 (default: 100)"),
  spec(
    "maxconn",
    "number",
    "SERVICE_MAXCONN",
    undefined,
    "most connections of a node to it (default: no limit)",
  ),
  {
    flag: "meta",
    value: "name=value",
    env: undefined,
    fallback: undefined,
    help: "something else to note in the entry; may be repeated",
    repeats: true,
  },
  spec(
    "check",
    "url",
    "SERVICE_CHECK",
    undefined,
    "http://host:port/path, tcp://host:port or tcp (its port on 127.0.0.1): registered only while it passes",
  ),
  spec(
    "check-interval",
    "time",
    "CHECK_INTERVAL_MS",
    "2s",
    "between checks; a quarter of it while one fails",
  ),
  spec("rise", "number", "CHECK_RISE", "2", "passes in a row before it is registered"),
  spec("fall", "number", "CHECK_FALL", "3", "failures in a row before its key goes away"),
  spec(
    "lease-ttl",
    "seconds",
    "LEASE_TTL",
    "10",
    "how long its key outlives it when it ends without warning",
  ),
  spec("drain-timeout", "time", "DRAIN_TIMEOUT_MS", "10s", "on SIGTERM: how long nodes may take to drain it"),
  spec(
    "stop-timeout",
    "time",
    "STOP_TIMEOUT_MS",
    "10s",
    "then: how long the command and what it left running may take to end",
  ),
];

/** What is checked: a TCP connection, or with a path an HTTP request. */
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
  /** Undefined: the one that reaches etcd. */
  readonly host: Host | undefined;
  readonly port: number;
  readonly entry: Omit<OwnEntry, "address">;
  readonly check: HealthCheck | undefined;
  readonly leaseTtlSeconds: number;
  readonly drainTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

/** One day. */
const MAX_TTL_SECONDS = 86_400;
const MAX_COUNT = 1_000;

/**
 * Reads the settings. The entry is read as a node will read it, so that none is registered that every node rejects.
 *
 * @throws {ControllerError} (usage) naming the flag that is wrong
 */
export function readRegisterOptions(raw: RawOptions, hostname: string): RegisterOptions {
  const port = readInteger(raw, "port", { min: 1, max: 65_535 });
  const options: RegisterOptions = {
    service: text(raw, "service"),
    id: optional(raw, "id") ?? defaultId(hostname, port),
    host: readHost(raw),
    port,
    entry: {
      weight: readOptionalInteger(raw, "weight", { min: 0, max: 256 }),
      maxconn: readOptionalInteger(raw, "maxconn", { min: 0, max: 1_000_000 }),
      meta: readMeta(raw),
    },
    check: readCheck(raw, port),
    leaseTtlSeconds: readInteger(raw, "lease-ttl", { min: 1, max: MAX_TTL_SECONDS }),
    drainTimeoutMs: readDuration(raw, "drain-timeout"),
    stopTimeoutMs: readDuration(raw, "stop-timeout"),
  };
  return withValidEntry(options);
}

/** Any host does for what is left to be wrong. */
const SOME_HOST: Host = { kind: "ipv4", text: "192.0.2.1" };

function withValidEntry(options: RegisterOptions): RegisterOptions {
  const { service, id, port, host = SOME_HOST, entry } = options;
  const value = entryValue({ ...entry, address: { host, port } }, "ready");
  const key = `/${service}/${id}`;
  const result = parseEntry(
    { key, value: new TextEncoder().encode(value), modRevision: 0n, hasLease: true },
    "/",
  );
  if (result.kind === "server") return options;
  throw usage(`Cannot register ${JSON.stringify(`${service}/${id}`)}: ${result.rejection.reason}`);
}

function readHost(raw: RawOptions): Host | undefined {
  const value = optional(raw, "address");
  if (value === undefined) return undefined;
  if (/^(\[.*\]|[^:]*):[^:]*$/.test(value)) throw usage(`--address takes no port, --port does: ${value}`);
  const host = parseHost(value);
  if (!host.ok) throw usage(`--address is not a host without a port: ${host.reason}: ${value}`);
  return host.value;
}

function readMeta(raw: RawOptions): Record<string, string> | undefined {
  const pairs = raw.meta;
  if (!Array.isArray(pairs)) return undefined;
  return Object.fromEntries(pairs.map((pair: string) => {
    const at = pair.indexOf("=");
    if (at < 1) throw usage(`--meta is not name=value: ${pair}`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  }));
}

function readCheck(raw: RawOptions, port: number): HealthCheck | undefined {
  const value = optional(raw, "check");
  if (value === undefined) return undefined;
  return {
    target: readTarget(value, port),
    intervalMs: readDuration(raw, "check-interval", { minMs: 10 }),
    rise: readInteger(raw, "rise", { min: 1, max: MAX_COUNT }),
    fall: readInteger(raw, "fall", { min: 1, max: MAX_COUNT }),
  };
}

function readTarget(value: string, ownPort: number): CheckTarget {
  if (value === "tcp") return { host: "127.0.0.1", port: ownPort, path: undefined };
  const url = /^(http|tcp):\/\/[^/]/.test(value) && URL.canParse(value) ? new URL(value) : undefined;
  const host = url?.hostname.replace(/^\[|\]$/g, "") ?? "";
  const isTcp = url?.protocol === "tcp:";
  const port = Number(url?.port || (isTcp ? NaN : 80));
  if (url === undefined || host === "" || !(port > 0) || url.username !== "" || url.password !== "") {
    throw usage(`--check is not http://host:port/path, tcp://host:port or tcp: ${value}`);
  }
  return { host, port, path: isTcp ? undefined : `${url.pathname}${url.search}` };
}

function readOptionalInteger(
  raw: RawOptions,
  flag: string,
  range: { min: number; max: number },
): number | undefined {
  return optional(raw, flag) === undefined ? undefined : readInteger(raw, flag, range);
}

function readInteger(raw: RawOptions, flag: string, { min, max }: { min: number; max: number }): number {
  const value = text(raw, flag);
  const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN;
  if (!(number >= min && number <= max)) {
    throw usage(`--${flag} is not an integer from ${min} to ${max}: ${value}`);
  }
  return number;
}
