import { type EtcdSettings, readEtcdOptions } from "../lib/etcd/options.ts";
import { readRegisterOptions, type RegisterOptions } from "../lib/register/options.ts";
import { nameOf } from "../lib/registry/entry_format.ts";
import { usage } from "../lib/util/flag.ts";

/** What the example service is told by its environment. */
export interface BackendOptions {
  readonly etcd: EtcdSettings;
  readonly register: RegisterOptions;
  /** What it answers with. */
  readonly name: string;
}

/**
 * Reads the variables of `etcd-haproxy register`, except for the check: the service is registered as long as it serves.
 *
 * @throws {ControllerError} (usage) naming the variable that is wrong
 */
export function parseBackendOptions(
  variables: Readonly<Record<string, string | undefined>>,
  hostname: string,
): BackendOptions {
  const { SERVICE_NAME, SERVICE_PORT, BACKEND_NAME } = variables;
  const own = {
    SERVICE_NAME: SERVICE_NAME || "backend",
    SERVICE_PORT: SERVICE_PORT || "8080",
    SERVICE_CHECK: "",
  };
  const sources = { env: { ...variables, ...own } };
  return {
    etcd: readEtcdOptions(sources),
    register: readRegisterOptions(sources, hostname),
    name: readName(BACKEND_NAME || nameOf(hostname)),
  };
}

function readName(name: string): string {
  if (/^[A-Za-z0-9._:-]{1,128}$/.test(name)) return name;
  throw usage(`BACKEND_NAME is not 1 to 128 of the characters A-Z a-z 0-9 . _ : -: ${name}`);
}
