import { ControllerError } from "./errors.ts";

/** What was given for a setting: a text, true for a switch, or the texts of a flag that may be repeated. */
export type RawValue = string | boolean | readonly string[] | undefined;

/** Where settings are looked for. A flag wins over the environment, which wins over the default. */
export interface Sources {
  /** By the names of flags. Undefined for a program without a command line: its errors name variables. */
  readonly flags?: Readonly<Record<string, RawValue>>;
  /** An empty variable counts as unset, because compose files write unset variables like that. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The value of one setting, and where it was found. */
export interface Given {
  readonly raw: RawValue;
  readonly from: "flag" | "variable" | "default";
  /** The flag or the variable, as errors name it. */
  readonly name: string;
}

/** One setting. The parser, `--help` and `docs/flags.md` are made from this declaration. */
export interface Flag<T> {
  /** Without dashes. */
  readonly name: string;
  /** The environment variable. */
  readonly env?: string | undefined;
  /** The placeholder of the value in `--help`. Undefined for switches. */
  readonly value?: string;
  /** The default, as a user would write it. */
  readonly fallback?: string | undefined;
  /** The default in words, where it is not a fixed value. */
  readonly otherwise?: string | undefined;
  /** It has no default and must be set. */
  readonly isRequired?: boolean;
  readonly help: string;
  /** The value may be left out. */
  readonly valueIsOptional?: boolean;
  /** May be given several times. */
  readonly repeats?: boolean;
  /** @throws {ControllerError} (usage) when the value is missing or wrong */
  readonly read: (given: Given) => T;
}

/** The settings of one folder, by the names of their fields. */
export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** What `readFlags()` makes of them. */
export type Values<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/**
 * Reads settings.
 *
 * @throws {ControllerError} (usage) naming the flag or the variable that is wrong
 */
export function readFlags<F extends Flags>(flags: F, sources: Sources): Values<F> {
  const values = Object.entries(flags).map(([key, flag]) => [key, flag.read(find(flag, sources))]);
  // The only cast: TypeScript cannot say that entries belong to the keys that they were made from.
  return Object.fromEntries(values) as Values<F>;
}

/** The flag or the variable by which a setting was given, for errors about several settings. */
export function nameOf(flag: Flag<unknown>, sources: Sources): string {
  return find(flag, sources).name;
}

function find({ name, env, fallback }: Flag<unknown>, sources: Sources): Given {
  const raw = sources.flags?.[name];
  if (raw !== undefined) return { raw, from: "flag", name: `--${name}` };
  const variable = env === undefined ? undefined : sources.env[env];
  if (env !== undefined && variable) return { raw: variable, from: "variable", name: env };
  return { raw: fallback, from: "default", name: sources.flags === undefined && env || `--${name}` };
}

/** The default in `--help`, such as `default 10s`; empty if there is none. */
export function defaultText({ fallback, otherwise, isRequired }: Flag<unknown>): string {
  if (isRequired) return "required";
  if (otherwise !== undefined) return `default: ${otherwise}`;
  return fallback === undefined ? "" : `default ${fallback}`;
}

/** An error about the command line or the environment. */
export function usage(message: string): ControllerError {
  return new ControllerError("usage", message);
}

/** An error about one setting, such as `--bind is not host:port: 80`. */
export function wrong({ name, raw }: Given, what: string): ControllerError {
  return usage(`${name} ${what}: ${raw}`);
}
