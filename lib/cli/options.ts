import { type Given, readFlags, type Sources, usage, type Values } from "../util/flag.ts";
import { choice, duration, optional, switchFlag } from "../util/flag_kinds.ts";

const timeoutMs = duration("timeout =30s", "longest time to wait");

/** Settings of `status`. */
export const STATUS_FLAGS = {
  wait: {
    name: "wait",
    value: "revision",
    valueIsOptional: true,
    help: "wait until every live node has applied this revision, or the newest change; exit with 1 if not",
    read: readWaitFor,
  },
  timeoutMs,
  json: switchFlag("json", "print JSON"),
  watch: switchFlag("watch", "show every change until Ctrl-C"),
};

/** Settings of the commands that override servers. */
export const OPERATOR_FLAGS = {
  wait: switchFlag("wait", "wait until every live node has applied the change; exit with 1 if not"),
  timeoutMs,
};

/** Settings of `diff` alone. */
export const DIFF_FLAGS = {
  exitCode: switchFlag("exit-code", "exit with 1 when there is something to change"),
};

/** Settings of the log. */
export const LOG_FLAGS = {
  format: optional(
    choice("log-format LOG_FORMAT", "text or json", { of: ["text", "json"], value: "format" }),
    "text on a terminal, else json",
  ),
  level: choice("log-level LOG_LEVEL=info", "debug, info, warn or error", {
    of: ["debug", "info", "warn", "error"],
    value: "level",
  }),
};

/** What to wait for: nothing, a revision, or the newest change. */
export type WaitFor = bigint | "newest" | undefined;

export type StatusOptions = Values<typeof STATUS_FLAGS>;
export type OperatorOptions = Values<typeof OPERATOR_FLAGS>;

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readStatusOptions(sources: Sources): StatusOptions {
  const options = readFlags(STATUS_FLAGS, sources);
  if (options.watch && (options.json || options.wait !== undefined)) {
    throw usage("--watch goes with neither --json nor --wait");
  }
  return options;
}

function readWaitFor({ raw, name }: Given): WaitFor {
  if (raw === undefined) return undefined;
  if (raw === true) return "newest";
  if (typeof raw === "string" && /^\d{1,19}$/.test(raw)) return BigInt(raw);
  throw usage(`${name} is not a revision: ${raw}`);
}

/** What to do with one server. */
export type OperatorAction =
  | { readonly kind: "drain" | "ready" | "maint" }
  | { readonly kind: "weight"; readonly weight: number };

const NAME = /^[A-Za-z0-9._:-]{1,128}$/;

/**
 * Reads `<service>/<id>`.
 *
 * @throws {ControllerError} (usage) when the text is something else
 */
export function readServerName(text: string): { readonly service: string; readonly id: string } {
  const [service = "", id = "", ...others] = text.split("/");
  if (others.length === 0 && NAME.test(service) && NAME.test(id)) return { service, id };
  throw usage(`not <service>/<id>, each 1 to 128 of the characters A-Z a-z 0-9 . _ : -: ${text}`);
}

/** @throws {ControllerError} (usage) when the text is not a weight */
export function readWeight(text: string): number {
  const weight = Number(text);
  if (/^\d{1,3}$/.test(text) && weight <= 256) return weight;
  throw usage(`weight is not an integer from 0 to 256: ${text}`);
}
