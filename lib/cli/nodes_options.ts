import { type OptionSpec, type RawOptions, readDuration, usage } from "../util/options.ts";

const WAIT_HELP = "wait until every live node serves";
const TIMEOUT: OptionSpec = {
  flag: "timeout",
  value: "time",
  env: undefined,
  fallback: "30s",
  help: "how long to wait at most",
};

function flag(name: string, help: string): OptionSpec {
  return { flag: name, value: undefined, env: undefined, fallback: undefined, help };
}

/** Settings of `status`. */
export const STATUS_OPTIONS: readonly OptionSpec[] = [
  {
    ...flag(
      "wait",
      `${WAIT_HELP} this revision, or the newest change of the registry; exit with 1 if not in time`,
    ),
    value: "revision",
    optional: true,
  },
  TIMEOUT,
  flag("json", "print JSON"),
  flag("watch", "go on until Ctrl-C, showing every change"),
];

/** Settings of the commands by which operators override servers. */
export const OPERATOR_OPTIONS: readonly OptionSpec[] = [
  flag("wait", `${WAIT_HELP} the change; exit with 1 if not in time`),
  TIMEOUT,
];

/** What to wait for: nothing, a revision, or with `newest` the newest change. */
export type WaitFor = bigint | "newest" | undefined;

export interface StatusOptions {
  readonly wait: WaitFor;
  readonly timeoutMs: number;
  readonly json: boolean;
  readonly watch: boolean;
}

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readStatusOptions(raw: RawOptions): StatusOptions {
  const options = {
    wait: readWaitFor(raw["wait"]),
    timeoutMs: readDuration(raw, "timeout"),
    json: raw["json"] === true,
    watch: raw["watch"] === true,
  };
  if (options.watch && (options.json || options.wait !== undefined)) {
    throw usage("--watch goes with neither --json nor --wait");
  }
  return options;
}

function readWaitFor(value: RawOptions[string]): WaitFor {
  if (value === undefined || value === false) return undefined;
  if (value === true) return "newest";
  if (typeof value === "string" && /^\d{1,19}$/.test(value)) return BigInt(value);
  throw usage(`--wait is not a revision: ${value}`);
}

/** What an operator asks for one server. */
export type OperatorAction =
  | { readonly kind: "drain" | "ready" | "maint" }
  | { readonly kind: "weight"; readonly weight: number };

export interface OperatorOptions {
  readonly wait: boolean;
  readonly timeoutMs: number;
}

/** @throws {ControllerError} (usage) naming the flag that is wrong */
export function readOperatorOptions(raw: RawOptions): OperatorOptions {
  return { wait: raw["wait"] === true, timeoutMs: readDuration(raw, "timeout") };
}

const NAME = /^[A-Za-z0-9._:-]{1,128}$/;

/**
 * Reads `<service>/<id>`.
 *
 * @throws {ControllerError} (usage) when it is none
 */
export function readServerName(text: string): { readonly service: string; readonly id: string } {
  const [service = "", id = "", ...others] = text.split("/");
  if (others.length === 0 && NAME.test(service) && NAME.test(id)) return { service, id };
  throw usage(`not <service>/<id>, each 1 to 128 of the characters A-Z a-z 0-9 . _ : -: ${text}`);
}

/** @throws {ControllerError} (usage) when it is no weight */
export function readWeight(text: string): number {
  const weight = Number(text);
  if (/^\d{1,3}$/.test(text) && weight <= 256) return weight;
  throw usage(`weight is not an integer from 0 to 256: ${text}`);
}
