import type { EtcdClient } from "../etcd/client.ts";
import { openEtcd } from "../etcd/open.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { prepareProcess } from "../etcd/process.ts";

/**
 * Prepares the process, and opens the client of a command.
 *
 * @throws {ControllerError} (usage) when a file that a flag names cannot be read or used
 */
export function connectEtcd(settings: EtcdSettings): Promise<EtcdClient> {
  prepareProcess();
  return openEtcd(settings);
}

/** Calls `use` with a client and closes it. Throws what `connectEtcd()` and `use` throw. */
export async function withEtcd<T>(
  settings: EtcdSettings,
  use: (client: EtcdClient) => Promise<T>,
): Promise<T> {
  const client = await connectEtcd(settings);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
