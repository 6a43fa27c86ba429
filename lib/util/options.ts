import { ControllerError } from "./errors.ts";

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

/** Raw settings by flag, before they are validated. */
export type RawOptions = Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

/** What the environment says of a setting, or its default. A variable that is empty counts as none, as compose files write it. */
export function fromEnvironment(
  { env, fallback }: OptionSpec,
  read: (variable: string) => string | undefined,
): string | undefined {
  return (env === undefined ? undefined : read(env)) || fallback;
}

/** A host and a port to listen on; an empty host means every address. */
export interface Bind {
  readonly host: string;
  readonly port: number;
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

/** @throws {ControllerError} (usage) when it is missing or empty */
export function text(raw: RawOptions, flag: string): string {
  const value = optional(raw, flag);
  if (value === undefined) throw usage(`--${flag} is ${raw[flag] === undefined ? "missing" : "empty"}`);
  return value;
}

/** @throws {ControllerError} (usage) when it is none of the choices */
export function readChoice<T extends string>(raw: RawOptions, flag: string, choices: readonly T[]): T {
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

/** @throws {ControllerError} (usage) when it is none */
export function readBind(raw: RawOptions, flag: string): Bind {
  const value = text(raw, flag);
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) {
    throw usage(`--${flag} is not host:port or :port: ${value}`);
  }
  return { host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port };
}
