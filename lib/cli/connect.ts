import type { EtcdClient } from "../etcd/client.ts";
import { openEtcd } from "../etcd/open.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { prepareProcess } from "../etcd/process.ts";

/**
 * The client of a command, in a process that is prepared for it.
 *
 * @throws {ControllerError} (usage) when a file that a flag names cannot be read or used
 */
export function connectEtcd(settings: EtcdSettings): Promise<EtcdClient> {
  prepareProcess();
  return openEtcd(settings);
}
