import { ControllerError, messageOf } from "../errors.ts";
import { readAll } from "../etcd/read.ts";
import type { EtcdSettings } from "../options.ts";
import type { Snapshot } from "../snapshot.ts";
import { etcdFromSettings, prefixesOf } from "./etcd.ts";

/**
 * Reads the registry once.
 *
 * @throws {ControllerError} (transient) when etcd cannot be asked
 */
export async function readRegistry(settings: EtcdSettings): Promise<Snapshot> {
  const client = await etcdFromSettings(settings);
  const { services, overrides } = prefixesOf(settings);
  try {
    const { revision, entries } = await readAll(client.kv, [services, overrides]);
    return { revision, entries: [...entries.values()] };
  } catch (error) {
    const endpoints = settings.endpoints.join(", ");
    throw new ControllerError(
      "transient",
      `Cannot read the registry from ${endpoints}: ${messageOf(error)}`,
      { cause: error },
    );
  } finally {
    client.close();
  }
}
