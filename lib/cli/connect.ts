import type { EtcdClient } from "../etcd/client.ts";
import { openEtcd } from "../etcd/open.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { prepareProcess } from "../etcd/process.ts";
import { ControllerError, messageOf } from "../util/errors.ts";

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

/**
 * The answer to a call of etcd.
 *
 * @throws {ControllerError} `Cannot <what>: <why>`, of the kind of the call's own error; other errors become transient
 */
export async function answerTo<T>(call: Promise<T>, what: string): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const kind = error instanceof ControllerError ? error.kind : "transient";
    throw new ControllerError(kind, `Cannot ${what}: ${messageOf(error)}`, { cause: error });
  }
}
