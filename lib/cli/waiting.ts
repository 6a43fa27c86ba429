import { ControllerError } from "../util/errors.ts";
import { escapeText } from "../util/escape.ts";
import type { EtcdClient } from "../etcd/client.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import type { NodeView } from "../ack/keys.ts";
import { newestChange } from "../ack/newest_change.ts";
import { waitForNodes } from "../ack/wait.ts";
import { behindText } from "./nodes_table.ts";
import { prefixesOf } from "../etcd/open.ts";

/** What to wait for. */
export interface WaitOptions {
  /** Undefined: the newest change of the registry up to revision `at`. */
  readonly revision: bigint | undefined;
  /** A revision that the store has reached. */
  readonly at: bigint;
  readonly clusterId: string;
  readonly timeoutMs: number;
  /** A server that must have no more requests. */
  readonly server?: string | undefined;
}

/** How waiting ended, in words. Only `passed` means that a node has applied the revision. */
export interface Waited {
  readonly kind: "passed" | "nobody" | "behind";
  readonly revision: bigint;
  readonly lines: readonly string[];
}

/** The newest change is searched for at least that long, so that a short time limit gets an answer too. */
const LEAST_SEARCH_MS = 5_000;

/**
 * Waits for all nodes and puts the result into words.
 *
 * @throws {ControllerError} when the nodes' keys cannot be read, or are those of another store
 */
export async function waitInWords(
  client: EtcdClient,
  settings: EtcdSettings,
  { at, clusterId, timeoutMs, server, ...options }: WaitOptions,
): Promise<Waited> {
  const { nodesPrefix } = settings;
  const { services, overrides } = prefixesOf(settings);
  const deadline = performance.now() + timeoutMs;
  // Changes of other keys do not count: nodes do not watch them.
  const revision = options.revision ?? await newestChange(client, {
    prefixes: [services, overrides],
    at,
    clusterId,
    signal: AbortSignal.timeout(Math.max(timeoutMs, LEAST_SEARCH_MS)),
  });
  const limitMs = Math.max(0, deadline - performance.now());
  const end = await waitForNodes(client, { nodesPrefix, revision, clusterId, limitMs, server });
  switch (end.kind) {
    case "passed":
      return { kind: "passed", revision, lines: [`applied by ${namesOf(end.nodes)}`] };
    case "nobody":
      return { kind: "nobody", revision, lines: ["no node is alive"] };
    case "behind":
      return { kind: "behind", revision, lines: end.nodes.map((node) => behindText(node, revision, server)) };
    case "unreadable":
      throw new ControllerError("transient", `Cannot wait for the nodes: ${end.reason}`);
    case "other-store":
      throw new ControllerError("operator", `Cannot wait for revision ${revision}: ${end.reason}`);
  }
}

function namesOf(nodes: readonly NodeView[]): string {
  return nodes.map(({ node }) => escapeText(node)).join(", ");
}
