import { ControllerError } from "./errors.ts";
import { type Network, parseNetworks } from "./networks.ts";

/** One setting: its flag, its environment variable and its default, as `--help` shows them. */
export interface OptionSpec {
  readonly flag: string;
  /** Undefined for switches. */
  readonly value: string | undefined;
  /** The value may be left out. */
  readonly optional?: boolean;
  readonly env: string | undefined;
  /** Undefined: none. */
  readonly fallback: string | undefined;
  readonly help: string;
  /** May be given several times; its raw setting is an array then. */
  readonly repeats?: boolean;
}

/** A setting with a value. */
export const spec = (
  flag: string,
  value: string,
  env: string,
  fallback: string | undefined,
  help: string,
): OptionSpec => ({
  flag,
  value,
  env,
  fallback,
  help,
});

/** Settings by which etcd is reached and the registry is laid out. */
export const ETCD_OPTIONS = [
  spec(
    "endpoints",
    "urls",
    "ETCD_ENDPOINTS",
    "http://127.0.0.1:2379",
    "etcd's client URLs, separated by commas",
  ),
  spec("cacert", "file", "ETCD_CACERT", undefined, "CA that etcd's certificate is checked against"),
  spec("cert", "file", "ETCD_CERT", undefined, "client certificate"),
  spec("key", "file", "ETCD_KEY", undefined, "key of the client certificate"),
  spec(
    "user",
    "name",
    "ETCD_USER",
    undefined,
    "etcd user; the password comes from --password-file or ETCD_PASSWORD",
  ),
  spec("password-file", "file", "ETCD_PASSWORD_FILE", undefined, "file with the etcd password"),
  spec("services-prefix", "prefix", "SERVICES_PREFIX", "/services/", "where services register"),
  spec(
    "settings-prefix",
    "prefix",
    "SETTINGS_PREFIX",
    "/haproxy/settings/",
    "where operators' settings stand",
  ),
  spec("nodes-prefix", "prefix", "NODES_PREFIX", "/haproxy/nodes/", "where nodes tell what they serve"),
] as const;

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

/** Settings of the admin server. */
export const ADMIN_OPTIONS = [
  spec(
    "admin-bind",
    "address",
    "LB_ADMIN_BIND",
    "127.0.0.1:8405",
    "health, metrics and state of the controller",
  ),
] as const;

/** Settings of the running node. */
export const RUN_OPTIONS = [
  spec("node-id", "name", "LB_NODE_ID", undefined, "name of this node (default: the host's name)"),
  {
    flag: "replace-config",
    value: undefined,
    env: undefined,
    fallback: undefined,
    help: "replace a configuration file that was not written by etcd-haproxy; a copy is kept",
  },
  spec(
    "attach",
    "socket",
    "HAPROXY_MASTER_SOCKET",
    undefined,
    "master socket of an HAProxy that somebody else starts and stops (default: run one)",
  ),
  spec("node-ttl", "time", "NODE_TTL_MS", "10s", "how long this node's keys outlive it; whole seconds"),
  spec("debounce", "time", "DEBOUNCE_MS", "20ms", "quiet window before a change that removes or reloads"),
  spec("max-wait", "time", "MAX_WAIT_MS", "500ms", "longest wait for the quiet window"),
  spec("reload-interval", "time", "RELOAD_INTERVAL_MS", "1s", "least time between two reloads"),
  spec(
    "admission",
    "mode",
    "ADMISSION",
    "probe",
    "probe (no request before a server was seen healthy) or none",
  ),
  spec(
    "source",
    "mode",
    "SOURCE_MODE",
    "mirror",
    "mirror (kept up by the watch) or reread (everything, at each change)",
  ),
  spec("stop-delay", "time", "STOP_DELAY_MS", "0", "on SIGTERM: how long to serve on while not ready"),
  spec("stop-timeout", "time", "STOP_TIMEOUT_MS", "25s", "on SIGTERM: how long running requests may take"),
] as const;

/** How changes are made. */
export const APPLY_OPTIONS = [
  spec("apply", "mode", "APPLY_MODE", "auto", "auto (at run time where possible) or reload (always)"),
  spec(
    "guard",
    "mode",
    "GUARD",
    "on",
    "on (servers that vanish in numbers without having been drained are served on for a while) or off",
  ),
  spec("guard-share", "percent", "GUARD_SHARE", "50", "how much of a service may vanish within --guard-time"),
  spec(
    "guard-time",
    "time",
    "GUARD_TIME_MS",
    "30s",
    "the guard's window, and how long a server is held at most",
  ),
] as const;

/** Settings of the log. */
export const LOG_OPTIONS = [
  spec(
    "log-format",
    "format",
    "LOG_FORMAT",
    undefined,
    "text or json (default: text on a terminal, else json)",
  ),
  spec("log-level", "level", "LOG_LEVEL", "info", "debug, info, warn or error"),
] as const;

/** Raw settings by flag, before they are validated. */
export type RawOptions = Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

/** A host and a port to listen on; an empty host means every address. */
export interface Bind {
  readonly host: string;
  readonly port: number;
}

export interface EtcdSettings {
  readonly endpoints: readonly string[];
  readonly cacert: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly user: string | undefined;
  readonly passwordFile: string | undefined;
  readonly servicesPrefix: string;
  readonly settingsPrefix: string;
  readonly nodesPrefix: string;
}

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

export interface RunOptions {
  readonly nodeId: string | undefined;
  readonly replaceConfig: boolean;
  /** The master socket of an HAProxy whose life somebody else owns; undefined: the controller runs its own. */
  readonly attach: string | undefined;
  readonly nodeTtlMs: number;
  readonly debounceMs: number;
  readonly maxWaitMs: number;
  readonly reloadIntervalMs: number;
  readonly apply: "auto" | "reload";
  readonly admission: "probe" | "none";
  readonly source: "mirror" | "reread";
  /** Undefined: the guard against mass disappearance is off. */
  readonly guard: { readonly share: number; readonly timeMs: number } | undefined;
  readonly stopDelayMs: number;
  readonly stopTimeoutMs: number;
}

export interface LogSettings {
  readonly format: "text" | "json" | undefined;
  readonly level: "debug" | "info" | "warning" | "error";
}

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readEtcdOptions(raw: RawOptions): EtcdSettings {
  const cert = optional(raw, "cert");
  const key = optional(raw, "key");
  if ((cert === undefined) !== (key === undefined)) throw usage("--cert and --key go together");
  const user = optional(raw, "user");
  if (user?.includes(":")) {
    throw usage("--user takes a name only; give the password by --password-file or ETCD_PASSWORD");
  }
  const cacert = optional(raw, "cacert");
  const scheme = cacert === undefined && cert === undefined ? "http" : "https";
  const endpoints = readEndpoints(text(raw, "endpoints"), scheme);
  if (scheme === "https" && endpoints.some((endpoint) => endpoint.startsWith("http:"))) {
    throw usage("--cacert and --cert need --endpoints of https");
  }
  const settings = {
    endpoints,
    cacert,
    cert,
    key,
    user,
    passwordFile: optional(raw, "password-file"),
    servicesPrefix: readPrefix(raw, "services-prefix"),
    settingsPrefix: readPrefix(raw, "settings-prefix"),
    nodesPrefix: readPrefix(raw, "nodes-prefix"),
  };
  const { servicesPrefix, settingsPrefix, nodesPrefix } = settings;
  if (holdEachOther(servicesPrefix, settingsPrefix)) {
    throw usage("--services-prefix and --settings-prefix must not hold each other");
  }
  // What a node puts would wake it.
  if ([servicesPrefix, `${settingsPrefix}servers/`].some((watched) => holdEachOther(watched, nodesPrefix))) {
    throw usage("--nodes-prefix and the prefixes that nodes watch must not hold each other");
  }
  return settings;
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

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readRunOptions(raw: RawOptions): RunOptions {
  const options = {
    nodeId: optional(raw, "node-id"),
    replaceConfig: raw["replace-config"] === true,
    attach: optional(raw, "attach"),
    nodeTtlMs: readDuration(raw, "node-ttl", { minMs: 1_000 }),
    debounceMs: readDuration(raw, "debounce"),
    maxWaitMs: readDuration(raw, "max-wait"),
    reloadIntervalMs: readDuration(raw, "reload-interval"),
    apply: readApplyMode(raw),
    admission: readChoice(raw, "admission", ["probe", "none"]),
    source: readChoice(raw, "source", ["mirror", "reread"]),
    guard: readGuard(raw),
    stopDelayMs: readDuration(raw, "stop-delay"),
    stopTimeoutMs: readDuration(raw, "stop-timeout"),
  };
  if (options.nodeId !== undefined && !/^[A-Za-z0-9._:-]{1,128}$/.test(options.nodeId)) {
    throw usage("--node-id is not 1 to 128 of the characters A-Z a-z 0-9 . _ : -");
  }
  return options;
}

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readGuard(raw: RawOptions): RunOptions["guard"] {
  const share = text(raw, "guard-share");
  if (!/^\d{1,3}$/.test(share) || Number(share) > 100) {
    throw usage(`--guard-share is not a percentage from 0 to 100: ${share}`);
  }
  const timeMs = readDuration(raw, "guard-time", { minMs: 1 });
  return readChoice(raw, "guard", ["on", "off"]) === "off"
    ? undefined
    : { share: Number(share) / 100, timeMs };
}

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readApplyMode(raw: RawOptions): "auto" | "reload" {
  return readChoice(raw, "apply", ["auto", "reload"]);
}

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readAdminBind(raw: RawOptions): Bind {
  return readBind(raw, "admin-bind");
}

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readLogOptions(raw: RawOptions): LogSettings {
  const level = readChoice(raw, "log-level", ["debug", "info", "warn", "error"]);
  const format = optional(raw, "log-format") === undefined
    ? undefined
    : readChoice(raw, "log-format", ["text", "json"]);
  return { format, level: level === "warn" ? "warning" : level };
}

function holdEachOther(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

/** An error about the command line. */
export function usage(message: string): ControllerError {
  return new ControllerError("usage", message);
}

/** A setting that may be missing. */
export function optional(raw: RawOptions, flag: string): string | undefined {
  const value = raw[flag];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** @throws {ControllerError} (usage) when it is missing */
export function text(raw: RawOptions, flag: string): string {
  const value = optional(raw, flag);
  if (value === undefined) throw usage(`--${flag} is empty`);
  return value;
}

function readChoice<T extends string>(raw: RawOptions, flag: string, choices: readonly T[]): T {
  const value = text(raw, flag);
  const choice = choices.find((choice) => choice === value);
  if (choice === undefined) throw usage(`--${flag} is not one of ${choices.join(", ")}: ${value}`);
  return choice;
}

const UNITS: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1_000, m: 60_000 };
/** The longest time that a timer takes. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/**
 * A number with `ms`, `s` or `m`; a bare number is milliseconds.
 *
 * @throws {ControllerError} (usage) when it is none or out of range
 */
export function readDuration(raw: RawOptions, flag: string, { minMs = 0 } = {}): number {
  const value = text(raw, flag);
  const match = /^(\d{1,10})(ms|s|m)?$/.exec(value);
  const durationMs = match === null ? NaN : Number(match[1]) * (UNITS[match[2] ?? ""] ?? NaN);
  if (Number.isNaN(durationMs)) throw usage(`--${flag} is not a time such as 500ms, 2s or 10m: ${value}`);
  if (durationMs < minMs || durationMs > MAX_DURATION_MS) throw usage(`--${flag} is out of range: ${value}`);
  return durationMs;
}

function readBind(raw: RawOptions, flag: string): Bind {
  const value = text(raw, flag);
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) {
    throw usage(`--${flag} is not host:port or :port: ${value}`);
  }
  return { host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port };
}

function readNetworks(raw: RawOptions): readonly Network[] | undefined {
  const value = optional(raw, "server-networks");
  if (value === undefined) return undefined;
  const networks = parseNetworks(value);
  if (!networks.ok) throw usage(`--server-networks ${networks.reason}`);
  return networks.value;
}

function readPrefix(raw: RawOptions, flag: string): string {
  const value = text(raw, flag);
  // Without the last slash `/services/` would match `/services2/` too.
  if (!/^[\x21-\x7e]*\/$/.test(value)) throw usage(`--${flag} does not end in /: ${value}`);
  return value;
}

function readPath(raw: RawOptions, flag: string): string {
  const value = text(raw, flag);
  if (/[\0\n\r]/.test(value)) throw usage(`--${flag} holds a line break`);
  return value;
}

function readEndpoints(value: string, scheme: "http" | "https"): string[] {
  const endpoints = value.split(",").map((endpoint) => endpoint.trim()).filter((endpoint) => endpoint !== "");
  const normal = endpoints.map((endpoint) =>
    /^https?:\/\//.test(endpoint) ? endpoint : `${scheme}://${endpoint}`
  );
  const bad = normal.find((endpoint) => !isEndpoint(endpoint));
  if (bad !== undefined || normal.length === 0) {
    throw usage(`--endpoints holds no URL such as http://127.0.0.1:2379: ${bad ?? value}`);
  }
  if (new Set(normal.map((endpoint) => endpoint.split(":")[0])).size > 1) {
    throw usage("--endpoints mixes http and https");
  }
  return normal.map((endpoint) => endpoint.replace(/\/$/, ""));
}

function isEndpoint(endpoint: string): boolean {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || url.hostname === "" || !/:\d+\/?$/.test(endpoint)) return false;
  return url.pathname === "/" &&
    [url.username, url.password, url.search, url.hash].every((part) => part === "");
}
