import { Buffer } from "node:buffer";
import { ControllerError, messageOf } from "../errors.ts";
import { createEtcdClient, type EtcdClient } from "../etcd/client.ts";
import type { Prefixes } from "../model.ts";
import type { EtcdSettings } from "../options.ts";

/**
 * Makes the client that the settings describe; reads certificates and password.
 *
 * @throws {ControllerError} (usage) when a file that a flag names cannot be read
 */
export async function etcdFromSettings(settings: EtcdSettings): Promise<EtcdClient> {
  const [ca, cert, key] = await Promise.all([settings.cacert, settings.cert, settings.key].map(readOptional));
  const tls = ca === undefined && cert === undefined ? undefined : { ca, cert, key };
  const auth = settings.user === undefined
    ? undefined
    : { username: settings.user, password: await readPassword(settings.passwordFile) };
  return createEtcdClient({ endpoints: settings.endpoints, tls, auth });
}

/** The prefixes that a node reads. */
export function prefixesOf({ servicesPrefix, settingsPrefix }: EtcdSettings): Prefixes {
  return { services: servicesPrefix, overrides: `${settingsPrefix}servers/` };
}

async function readPassword(file: string | undefined): Promise<string> {
  if (file !== undefined) return new TextDecoder().decode(await readFile(file)).replace(/\r?\n$/, "");
  const password = Deno.env.get("ETCD_PASSWORD");
  if (password === undefined) {
    throw new ControllerError("usage", "--user needs --password-file or ETCD_PASSWORD");
  }
  return password;
}

async function readOptional(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : Buffer.from(await readFile(path));
}

async function readFile(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw new ControllerError("usage", `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
