import type { GuardLimits } from "../guard/guard.ts";
import { type Given, readFlags, type Sources, type Values, wrong } from "../util/flag.ts";
import { bind, choice, duration, integer, optional, path, setting, switchFlag } from "../util/flag_kinds.ts";

/** Settings of the admin server. */
export const ADMIN_FLAGS = {
  adminBind: bind("admin-bind LB_ADMIN_BIND=127.0.0.1:8405", "health, metrics and state of the controller"),
};

/** Settings of the running node. */
export const RUN_FLAGS = {
  nodeId: optional(
    setting("node-id LB_NODE_ID", "name of this node", { value: "name", parse: readNodeId }),
    "the host name",
  ),
  replaceConfig: switchFlag(
    "replace-config",
    "replace a configuration file that etcd-haproxy did not write; a copy is kept",
  ),
  /** The master socket of an HAProxy that another process owns; undefined: the controller runs its own. */
  attach: optional(
    path("attach HAPROXY_MASTER_SOCKET", "master socket of an HAProxy that another process starts and stops"),
    "start HAProxy",
  ),
  nodeTtlMs: duration("node-ttl NODE_TTL_MS=10s", "TTL of this node's keys; whole seconds", { minMs: 1_000 }),
  debounceMs: duration("debounce DEBOUNCE_MS=20ms", "quiet time before a removal or a reload"),
  maxWaitMs: duration("max-wait MAX_WAIT_MS=500ms", "longest wait for that quiet time"),
  reloadIntervalMs: duration("reload-interval RELOAD_INTERVAL_MS=1s", "shortest time between two reloads"),
  admission: choice("admission ADMISSION=probe", "probe (traffic only after a passed probe) or none", {
    of: ["probe", "none"],
  }),
  source: choice("source SOURCE_MODE=mirror", "mirror (watch the keys) or reread (read all at each change)", {
    of: ["mirror", "reread"],
  }),
  stopDelayMs: duration("stop-delay STOP_DELAY_MS=0", "on SIGTERM: how long to keep serving while not ready"),
  stopTimeoutMs: duration(
    "stop-timeout STOP_TIMEOUT_MS=25s",
    "on SIGTERM: longest wait for running requests",
  ),
};

/** How changes are made. */
export const APPLY_FLAGS = {
  apply: choice("apply APPLY_MODE=auto", "auto (at run time where possible) or reload (always)", {
    of: ["auto", "reload"],
  }),
};

/** Settings of the guard against servers that vanish in numbers. */
export const GUARD_FLAGS = {
  guard: choice("guard GUARD=on", "keep servers for a while when too many vanish at once without draining", {
    of: ["on", "off"],
    value: "on|off",
  }),
  sharePercent: integer(
    "guard-share GUARD_SHARE=50",
    "percentage of a service that may vanish in --guard-time",
    {
      max: 100,
    },
  ),
  timeMs: duration("guard-time GUARD_TIME_MS=30s", "window of the guard, and longest time to keep a server", {
    minMs: 1,
  }),
};

export interface RunOptions extends Values<typeof RUN_FLAGS>, Values<typeof APPLY_FLAGS> {
  /** Undefined: the guard is off. */
  readonly guard: GuardLimits | undefined;
}

/** @throws {ControllerError} (usage) naming the flag or the variable that is wrong */
export function readRunOptions(sources: Sources): RunOptions {
  return { ...readFlags(RUN_FLAGS, sources), ...readFlags(APPLY_FLAGS, sources), guard: readGuard(sources) };
}

/**
 * Undefined when the guard is off.
 *
 * @throws {ControllerError} (usage) naming the flag or the variable that is wrong
 */
export function readGuard(sources: Sources): GuardLimits | undefined {
  const { guard, sharePercent, timeMs } = readFlags(GUARD_FLAGS, sources);
  return guard === "on" ? { share: sharePercent / 100, timeMs } : undefined;
}

function readNodeId(text: string, given: Given): string {
  if (/^[A-Za-z0-9._:-]{1,128}$/.test(text)) return text;
  throw wrong(given, "is not 1 to 128 of the characters A-Z a-z 0-9 . _ : -");
}
