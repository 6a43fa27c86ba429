import type { EtcdClient } from "../etcd/client.ts";
import { createMirror, type Source, type SourceOptions } from "../etcd/mirror.ts";
import { openEtcd, prefixesOf } from "../etcd/open.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { createReread } from "../etcd/reread.ts";
import type { Prefixes } from "../registry/model.ts";
import type { RunOptions } from "./options.ts";

/** The registry, as a node follows it. */
export interface NodeRegistry {
  readonly client: EtcdClient;
  readonly source: Source;
  readonly prefixes: Prefixes;
}

/**
 * Opens it; nothing is followed before `source.run()`.
 *
 * @throws {ControllerError} (usage) when a file with a credential cannot be read or used
 */
export async function openRegistry(
  settings: EtcdSettings,
  mode: RunOptions["source"],
  ports: Pick<SourceOptions, "onChange" | "onEvent">,
): Promise<NodeRegistry> {
  const client = await openEtcd(settings);
  const prefixes = prefixesOf(settings);
  const options: SourceOptions = {
    client,
    prefixes: [prefixes.services, prefixes.overrides],
    onChange: ports.onChange,
    onEvent: ports.onEvent,
  };
  const source = mode === "mirror" ? createMirror(options) : createReread(options);
  return { client, source, prefixes };
}
