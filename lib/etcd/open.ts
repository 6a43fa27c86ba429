import { log } from "../util/log.ts";
import type { Prefixes } from "../registry/model.ts";
import type { EtcdSettings } from "./options.ts";
import { createEtcdClient, type EtcdClient } from "./client.ts";
import { readCredentials } from "./credentials.ts";

/**
 * Makes the client that the settings describe. Certificates and password are read now, so that a wrong setting is reported
 * at once, and again after a failed call and before each watch.
 *
 * @param onRenewed see `EtcdOptions`; by default it writes a line to the log
 * @throws {ControllerError} (usage) when a file that a setting names cannot be read or used
 */
export async function openEtcd(
  settings: EtcdSettings,
  onRenewed: () => void = () => log().info("etcd credentials renewed", { user: settings.user }),
): Promise<EtcdClient> {
  await readCredentials(settings);
  return createEtcdClient({
    endpoints: settings.endpoints,
    credentials: () => readCredentials(settings),
    onRenewed,
  });
}

/** The prefixes that a node reads. */
export function prefixesOf({ servicesPrefix, settingsPrefix }: EtcdSettings): Prefixes {
  return { services: servicesPrefix, overrides: `${settingsPrefix}servers/` };
}
