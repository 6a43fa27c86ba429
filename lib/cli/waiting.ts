import { ControllerError } from "../util/errors.ts";
import { escapeText } from "../util/escape.ts";
import type { EtcdClient } from "../etcd/client.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { newestChange } from "../ack/newest_change.ts";
import { type NodesWaitOptions, waitForNodes } from "../ack/wait.ts";
import { behindText } from "./nodes_table.ts";
import type { NodeView } from "../ack/keys.ts";
import { prefixesOf } from "../etcd/open.ts";

/** How waiting ended, in words. Only `passed` tells that somebody serves the revision. */
export interface Waited {
  readonly kind: "passed" | "nobody" | "behind";
  readonly lines: readonly string[];
}

/**
 * Waits for all nodes and puts the result into words.
 *
 * @throws {ControllerError} when the nodes' keys cannot be read, or are those of another store
 */
export async function waitInWords(client: EtcdClient, options: NodesWaitOptions): Promise<Waited> {
  const { revision, server } = options;
  const end = await waitForNodes(client, options);
  switch (end.kind) {
    case "passed":
      return { kind: "passed", lines: [`served by ${namesOf(end.nodes)}`] };
    case "nobody":
      return { kind: "nobody", lines: ["no node is alive"] };
    case "behind":
      return { kind: "behind", lines: end.nodes.map((node) => behindText(node, revision, server)) };
    case "unreadable":
      throw new ControllerError("transient", `Cannot wait for the nodes: ${end.reason}`);
    case "other-store":
      throw new ControllerError("operator", `Cannot wait for revision ${revision}: ${end.reason}`);
  }
}

/** Who has no time to wait is told all the same whether the nodes are behind. */
const LEAST_SEARCH_MS = 5_000;

/**
 * The newest change of the registry up to a revision. Changes of other keys do not count: no node hears of them.
 *
 * @throws {ControllerError} (transient) when it is not found in time
 */
export async function newestBefore(
  client: EtcdClient,
  settings: EtcdSettings,
  { at, clusterId, timeoutMs }: { at: bigint; clusterId: string; timeoutMs: number },
): Promise<bigint> {
  const { services, overrides } = prefixesOf(settings);
  const signal = AbortSignal.timeout(Math.max(timeoutMs, LEAST_SEARCH_MS));
  return await newestChange(client, { prefixes: [services, overrides], at, clusterId, signal });
}

function namesOf(nodes: readonly NodeView[]): string {
  return nodes.map(({ node }) => escapeText(node)).join(", ");
}
