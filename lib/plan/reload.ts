import { baseDigest, type ServerLines } from "../config/text.ts";
import { memoByText } from "../util/memo.ts";
import { paramKeywords } from "../config/server_line.ts";
import type { Observed } from "./observed.ts";
import { type Step, stepKey } from "./step.ts";

/** Why a plan goes by a reload. */
export type ReloadCause =
  | "socket-silent"
  | "base-changed"
  | "runtime-off"
  | "no-effect"
  | "step-not-dynamic"
  | "many-steps";

/** A reason in words, and its cause. */
export interface ReloadReason {
  readonly cause: ReloadCause;
  readonly reason: string;
}

/** The input of the decision whether a reload is needed. */
export interface ReloadInput {
  readonly observed: Extract<Observed, { kind: "up" | "silent" }>;
  readonly desired: { readonly base: string; readonly servers: ServerLines };
  readonly steps: readonly Step[];
  /** `reload`: never change anything at run time; `reload-once`: not this time, because steps just had no effect. */
  readonly mode: "auto" | "reload" | "reload-once";
}

/**
 * Why a reload is needed; undefined when it is not. These are all reasons, and the first that holds is the plan's:
 *
 * | cause            | when                                                                            |
 * |------------------|---------------------------------------------------------------------------------|
 * | socket-silent    | the runtime socket does not answer, so nothing can be changed or seen           |
 * | base-changed     | HAProxy runs another base. The server lines of a backend that is not plain      |
 * |                  | (`judgeBackends()`) are part of the base, so each of their changes is one       |
 * | runtime-off      | `--apply reload`                                                                |
 * | no-effect        | the steps of the last plan were made, and HAProxy does not show them            |
 * | step-not-dynamic | a step that no command can make: `needsReload()`                                |
 * | many-steps       | the steps cost more than a reload: `isReloadCheaper()`                          |
 *
 * When a reload may happen is another question: `pace()`.
 */
export function reloadReason({ observed, desired, steps, mode }: ReloadInput): ReloadReason | undefined {
  if (observed.kind === "silent") {
    return { cause: "socket-silent", reason: `the runtime socket does not answer: ${observed.reason}` };
  }
  const digest = baseDigest(desired.base);
  if (observed.base !== digest) {
    const running = observed.base?.slice(0, 12) ?? "of unknown origin";
    return {
      cause: "base-changed",
      reason: `HAProxy runs base ${running}, wanted is ${digest.slice(0, 12)}`,
    };
  }
  if (steps.length === 0) return undefined;
  if (mode === "reload") return { cause: "runtime-off", reason: "changes at run time are switched off" };
  if (mode === "reload-once") return { cause: "no-effect", reason: "steps at run time had no effect" };
  for (const step of steps) {
    const reason = needsReload(step);
    if (reason !== undefined) {
      return { cause: "step-not-dynamic", reason: `server ${stepKey(step)}: ${reason}` };
    }
  }
  if (!isReloadCheaper(steps.length, countLines(desired.servers))) return undefined;
  return { cause: "many-steps", reason: `${steps.length} steps cost more than a reload` };
}

function countLines(servers: ServerLines): number {
  return [...servers.values()].reduce((sum, lines) => sum + lines.length, 0);
}

/**
 * Parameters that `add server` takes on every version from 2.6 on (management manual, "add server"; seen on 2.6.12 and
 * 3.2). A line with any other parameter needs a reload.
 */
const DYNAMIC: ReadonlySet<string> = new Set(
  (
    "addr alpn backup check check-alpn check-proto check-send-proxy check-sni check-ssl ciphers " +
    "ciphersuites disabled downinter error-limit fall fastinter id inter maxconn maxqueue minconn " +
    "no-check no-ssl-reuse no-tls-tickets observe on-error on-marked-down on-marked-up pool-low-conn " +
    "pool-max-conn pool-purge-delay port proto rise send-proxy send-proxy-v2 slowstart sni source ssl " +
    "ssl-max-ver ssl-min-ver ssl-reuse track verify verifyhost weight ws ca-file"
  ).split(" "),
);

/** A CA file from disk is only there if it was loaded at the start; the system's is always. */
const ALWAYS_LOADED_CA = "@system-ca";

/**
 * What can be changed while HAProxy runs:
 *
 * | change     | command                                   | not when                                              |
 * |------------|-------------------------------------------|-------------------------------------------------------|
 * | add        | add server, enable health, enable server  | a name is to be resolved; a parameter is not dynamic  |
 * | replace    | del server, then as add                   | it is not in maintenance: draining it would cost it   |
 * |            |                                           | its traffic until the last request is answered        |
 * | remove     | set state drain, set state maint, del     | it is resolved by DNS                                 |
 * | address    | set server addr port                      | either is a name                                      |
 * | weight     | set server weight                         |                                                       |
 * | maint      | set server state maint                    |                                                       |
 * | ready      | set server state ready                    | it is resolved by DNS                                 |
 *
 * Whether a backend takes such changes at all is decided by `judgeBackend()`. Source: management manual, 9.3.
 *
 * @returns why a step needs a reload; undefined when it does not
 */
export function needsReload(step: Step): string | undefined {
  switch (step.kind) {
    case "replace":
      return step.isMaint
        ? lineNeedsReload(step.line.params)
        : "its parameters change, and it gets requests until then";
    case "add":
    case "ready":
      return lineNeedsReload(step.line.params);
    case "address":
      return step.address.kind === "name"
        ? "a name is resolved at a reload only"
        : lineNeedsReload(step.line.params);
    case "remove":
      return step.isName ? "a server that is resolved by DNS is removed by a reload" : undefined;
    case "weight":
    case "maint":
      return undefined;
  }
}

const IP_AND_PORT = /^(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]):\d+(?=\s|$)/i;

function lineNeedsReload(params: string): string | undefined {
  if (!IP_AND_PORT.test(params)) return "its address is not an IP address and a port";
  // Without address and id a handful of texts is left. Judging each line by itself takes 50 ms more at 10,000 steps.
  const reason = whyNotDynamic(params.replace(IP_AND_PORT, "ip").replace(/ id \d+/, ""));
  return reason === "" ? undefined : reason;
}

/** Why a server with such parameters cannot be added at run time; empty when it can. */
const whyNotDynamic = memoByText((params): string => {
  if (/["'\\$#;]/.test(params)) return "it holds quotes, variables or separators";
  const options = paramKeywords(params);
  const strange = [...options.keys()].find((keyword) => !DYNAMIC.has(keyword));
  if (strange !== undefined) return `its parameter ${strange} is not for servers that are added at run time`;
  const ca = options.get("ca-file") ?? ALWAYS_LOADED_CA;
  return ca === ALWAYS_LOADED_CA ? "" : "its ca-file may not be loaded";
}, 10_000);

/** A run of steps longer than this hurts traffic, whatever it costs. */
const MAX_STEPS = 500;

/**
 * Whether a reload is cheaper than so many steps. Measured: a step costs up to 1.1 ms at 10,000 servers and holds up
 * traffic meanwhile, which counts four times; a reload costs 100 ms and 0.05 ms for each server, beside the traffic.
 */
export function isReloadCheaper(steps: number, servers: number): boolean {
  if (steps > MAX_STEPS) return true;
  const stepMs = 0.02 + servers * 0.00011;
  return 4 * steps * stepMs > 100 + servers * 0.05;
}
