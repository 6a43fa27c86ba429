import type { EtcdClient } from "../etcd/client.ts";
import { openEtcd } from "../etcd/open.ts";
import type { EtcdSettings } from "../etcd_options.ts";
import { log } from "../log.ts";
import type { Prefixes } from "../model.ts";

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
