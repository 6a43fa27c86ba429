import { log } from "../util/log.ts";
import type { Prefixes } from "../registry/model.ts";
import type { EtcdSettings } from "./options.ts";
import { createEtcdClient, type EtcdClient } from "./client.ts";
import { readCredentials } from "./credential_files.ts";

/**
 * Makes the client that the settings describe. Certificates and password are read now, so that a wrong setting is told
 * at once, and again whenever the client asks for them: after a failed call, and before each watch.
 *
 * @param onRenewed see `EtcdOptions`
 * @throws {ControllerError} (usage) when a file that a setting names cannot be read or used
 */
export async function openEtcd(settings: EtcdSettings, onRenewed: () => void): Promise<EtcdClient> {
  await readCredentials(settings);
  return createEtcdClient({
    endpoints: settings.endpoints,
    credentials: () => readCredentials(settings),
    onRenewed,
  });
}

/**
 * Makes the client that the settings describe; credentials that are replaced meanwhile are logged.
 *
 * @throws {ControllerError} (usage) when a file that a flag names cannot be read or used
 */
export function etcdFromSettings(settings: EtcdSettings): Promise<EtcdClient> {
  return openEtcd(settings, () => log().info("etcd credentials renewed", { user: settings.user }));
}

/** The prefixes that a node reads. */
export function prefixesOf({ servicesPrefix, settingsPrefix }: EtcdSettings): Prefixes {
  return { services: servicesPrefix, overrides: `${settingsPrefix}servers/` };
}
