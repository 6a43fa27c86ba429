import { ETCD_OPTIONS, type EtcdSettings, readEtcdOptions, withPassword } from "../lib/etcd/options.ts";
import { fromEnvironment, type OptionSpec, usage } from "../lib/util/options.ts";
import { nameOf } from "../lib/registry/entry_format.ts";
import { readRegisterOptions, REGISTER_OPTIONS, type RegisterOptions } from "../lib/register/options.ts";

/** What the example service is told by its environment. */
export interface BackendOptions {
  readonly etcd: EtcdSettings;
  readonly register: RegisterOptions;
  /** What it answers with. */
  readonly name: string;
}

/** Those of `etcd-haproxy register`, but for the check: it is registered for as long as it serves. */
const OPTIONS: readonly OptionSpec[] = [
  ...ETCD_OPTIONS,
  ...REGISTER_OPTIONS.filter(({ flag }) => flag !== "check"),
];
const DEFAULTS = { service: "backend", port: "8080" };

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws {ControllerError} (usage) naming what is wrong */
export function parseBackendOptions(env: Environment, hostname: string): BackendOptions {
  const given = OPTIONS.map((spec) => [spec.flag, fromEnvironment(spec, (variable) => env[variable])]);
  const raw = { ...DEFAULTS, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
  return {
    etcd: withPassword(readEtcdOptions(raw), env.ETCD_PASSWORD),
    register: readRegisterOptions(raw, hostname),
    name: readName(env.BACKEND_NAME || nameOf(hostname)),
  };
}

function readName(name: string): string {
  if (/^[A-Za-z0-9._:-]{1,128}$/.test(name)) return name;
  throw usage(`BACKEND_NAME is not 1 to 128 of the characters A-Z a-z 0-9 . _ : -: ${name}`);
}

/** A message of the library with the variables of settings in place of their flags, which the service does not have. */
export function inVariables(message: string): string {
  return message.replace(
    /(?<!\S)--([a-z-]+)/g,
    (text, flag) => OPTIONS.find((spec) => spec.flag === flag)?.env ?? text,
  );
}
