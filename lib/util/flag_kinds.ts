import { type Flag, type Given, usage, wrong } from "./flag.ts";

/** A flag, its variable and its default, such as `bind LB_BIND=:80`. Variable and default may be left out. */
export type Spec =
  | Lowercase<string>
  | `${Lowercase<string>} ${Uppercase<string>}`
  | `${Lowercase<string>} ${Uppercase<string>}=${string}`;

/** A setting with a value. Without a default it must be set. */
export function setting<T>(
  spec: Spec,
  help: string,
  { value, parse }: { readonly value: string; readonly parse: (text: string, given: Given) => T },
): Flag<T> {
  const [name = "", variable = ""] = spec.split(" ");
  const [env, fallback] = variable.split("=");
  const isRequired = fallback === undefined;
  const read = (given: Given) => parse(textOf(given), given);
  return { name, env: env || undefined, fallback, value, help, isRequired, read };
}

function textOf({ raw, name }: Given): string {
  if (typeof raw === "string" && raw !== "") return raw;
  throw usage(`${name} is ${raw === undefined ? "missing" : "empty"}`);
}

/** The same setting, but undefined when it is unset or empty. `otherwise` tells users what that means. */
export function optional<T>(flag: Flag<T>, otherwise?: string): Flag<T | undefined> {
  const read = (given: Given) => given.raw === undefined || given.raw === "" ? undefined : flag.read(given);
  return { ...flag, otherwise, isRequired: false, read };
}

/** Any text. */
export function text(spec: Spec, help: string): Flag<string> {
  return setting(spec, help, { value: "name", parse: (text) => text });
}

/** A path without line breaks. */
export function path(spec: Spec, help: string): Flag<string> {
  const parse = (text: string, { name }: Given) => {
    if (/[\0\n\r]/.test(text)) throw usage(`${name} holds a line break`);
    return text;
  };
  return setting(spec, help, { value: "path", parse });
}

/** One of several words. */
export function choice<const T extends string>(
  spec: Spec,
  help: string,
  { of: words, value = "mode" }: { readonly of: readonly T[]; readonly value?: string },
): Flag<T> {
  const parse = (text: string, given: Given) => {
    const choice = words.find((word) => word === text);
    if (choice === undefined) throw wrong(given, `is not one of ${words.join(", ")}`);
    return choice;
  };
  return setting(spec, help, { value, parse });
}

/** Bounds of an integer, and its placeholder in `--help`. */
interface IntegerOptions {
  readonly min?: number;
  readonly max: number;
  readonly value?: string;
}

/** An integer within bounds. */
export function integer(
  spec: Spec,
  help: string,
  { min = 0, max, value = "number" }: IntegerOptions,
): Flag<number> {
  const parse = (text: string, given: Given) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (number >= min && number <= max) return number;
    throw wrong(given, `is not an integer from ${min} to ${max}`);
  };
  return setting(spec, help, { value, parse });
}

/** On when the flag is given. */
export function switchFlag(name: string, help: string): Flag<boolean> {
  return { name, help, read: ({ raw }) => raw === true };
}

/** `name=value`, once for each time that the flag is given; undefined when it is not given. */
export function pairs(name: string, help: string): Flag<Readonly<Record<string, string>> | undefined> {
  const read = ({ raw, name }: Given) => {
    if (typeof raw !== "object") return undefined;
    return Object.fromEntries(raw.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw usage(`${name} is not name=value: ${pair}`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }));
  };
  return { name, help, value: "name=value", repeats: true, read };
}

/** A host and a port to listen on; an empty host means every address. */
export interface Bind {
  readonly host: string;
  readonly port: number;
}

/** `host:port` or `:port` to listen on. */
export function bind(spec: Spec, help: string): Flag<Bind> {
  const parse = (text: string, given: Given) => {
    const [, host, digits] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):(\d{1,5})$/.exec(text) ?? [];
    const port = Number(digits);
    if (host === undefined || port < 1 || port > 65_535) throw wrong(given, "is not host:port or :port");
    return { host: host.replace(/^\[|\]$/g, ""), port };
  };
  return setting(spec, help, { value: "address", parse });
}

const UNITS: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1_000, m: 60_000 };
/** The longest time that a timer takes. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/**
 * A time in milliseconds, written with `ms`, `s` or `m`. A variable may leave out the unit, because its name ends in
 * `_MS`. A flag needs the unit, except for 0: `--timeout 5` would be 5 ms, but seconds are meant.
 */
export function duration(spec: Spec, help: string, { minMs = 0 } = {}): Flag<number> {
  const parse = (text: string, given: Given) => {
    const [, digits, unit = ""] = /^(\d{1,10})(ms|s|m)?$/.exec(text) ?? [];
    const durationMs = Number(digits) * (UNITS[unit] ?? NaN);
    if (Number.isNaN(durationMs)) throw wrong(given, "is not a time such as 500ms, 2s or 10m");
    if (given.from === "flag" && unit === "" && durationMs !== 0) {
      throw usage(`${given.name} ${text} has no unit: did you mean ${likelyTime(durationMs, spec)}?`);
    }
    if (durationMs < minMs || durationMs > MAX_DURATION_MS) throw wrong(given, "is out of range");
    return durationMs;
  };
  return setting(spec, help, { value: "time", parse });
}

/** Where the default is in milliseconds, 20 means 20ms. Elsewhere 5 means 5s, and 500 means 500ms. */
function likelyTime(number: number, spec: Spec): string {
  const [mostSeconds, leastMs] = spec.endsWith("ms") ? [0, 10] : [99, 500];
  if (number <= mostSeconds) return `${number}s`;
  return number >= leastMs ? `${number}ms` : `${number}s or ${number}ms`;
}
