import {
  type Bind,
  optional,
  type RawOptions,
  readBind,
  readChoice,
  readDuration,
  spec,
  text,
  usage,
} from "../util/options.ts";

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
