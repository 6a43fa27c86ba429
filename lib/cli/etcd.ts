import { createEtcdClient, type EtcdClient } from "../etcd/client.ts";
import type { EtcdSettings } from "../etcd_options.ts";
import { log } from "../log.ts";
import type { Prefixes } from "../model.ts";
import { readCredentials } from "./credentials.ts";

/**
 * Makes the client that the settings describe. Certificates and password are read now, so that a wrong flag is told at
 * once, and again whenever the client asks for them: after a failed call, and before each watch.
 *
 * @throws {ControllerError} (usage) when a file that a flag names cannot be read or used
 */
export async function etcdFromSettings(settings: EtcdSettings): Promise<EtcdClient> {
  await readCredentials(settings);
  return createEtcdClient({
    endpoints: settings.endpoints,
    credentials: () => readCredentials(settings),
    onRenewed: () => log().info("etcd credentials renewed", { user: settings.user }),
  });
}

/** The prefixes that a node reads. */
export function prefixesOf({ servicesPrefix, settingsPrefix }: EtcdSettings): Prefixes {
  return { services: servicesPrefix, overrides: `${settingsPrefix}servers/` };
}
