import type { Etcd3 } from "etcd3";
import { messageOf } from "../util/errors.ts";
import { hasPassed, type NodesView, type NodeView, parseNodes, type Passage } from "./keys.ts";
import { TimeUpError, within } from "../util/time.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { followEtcd } from "../etcd/follow.ts";
import { type FullRead, otherStore, readAll } from "../etcd/read.ts";
import { isRefusal } from "../etcd/refusal.ts";

/** All nodes at one revision of the store. */
export interface NodesRead extends NodesView {
  readonly revision: bigint;
  readonly clusterId: string;
}

/**
 * Reads the nodes' keys.
 *
 * @throws when etcd cannot be reached, or refuses
 */
export async function readNodes(kv: Etcd3, nodesPrefix: string): Promise<NodesRead> {
  const read = await readAll(kv, [nodesPrefix]);
  return { ...read, ...parseNodes(read.entries.values(), nodesPrefix) };
}

export interface NodesWaitOptions extends Passage {
  readonly nodesPrefix: string;
  /** The cluster of the revision; undefined: the one that answers first. */
  readonly clusterId?: string;
  /** With 0 the keys are still read once. */
  readonly limitMs: number;
  readonly signal?: AbortSignal;
}

const FIRST_READ_MS = 1_000;

/** How waiting for the nodes ended. */
export type NodesWait =
  /** Every live node has passed. */
  | { readonly kind: "passed"; readonly nodes: readonly NodeView[] }
  /** No node is alive: there are no keys. */
  | { readonly kind: "nobody" }
  /** The time is up; these nodes have not passed. */
  | { readonly kind: "behind"; readonly nodes: readonly NodeView[] }
  /** Reading the keys is refused, or failed all the time. */
  | { readonly kind: "unreadable"; readonly reason: string }
  /** The revision belongs to another store. */
  | { readonly kind: "other-store"; readonly reason: string };

/**
 * Waits until every live node serves a revision: reads the nodes' keys, and watches them until every node has passed. A
 * node whose lease ends meanwhile no longer counts.
 *
 * @throws the signal's reason, when it is aborted
 */
export async function waitForNodes(client: EtcdClient, options: NodesWaitOptions): Promise<NodesWait> {
  const { limitMs, signal } = options;
  const deadline = performance.now() + limitMs;
  const view = createView(options);
  try {
    const read = readAll(client.kv, [options.nodesPrefix]);
    const end = view.onChange(await within(read, { limitMs: Math.max(limitMs, FIRST_READ_MS), signal }));
    if (end !== undefined) return end;
  } catch (error) {
    if (isRefusal(error)) return { kind: "unreadable", reason: messageOf(error) };
    signal?.throwIfAborted();
    if (!(error instanceof TimeUpError)) view.onProblem(messageOf(error));
  }
  return await watchUntil(client, { ...options, limitMs: Math.max(0, deadline - performance.now()), view });
}

async function watchUntil(
  client: EtcdClient,
  { nodesPrefix, limitMs, signal, view }: NodesWaitOptions & { view: ReturnType<typeof createView> },
): Promise<NodesWait> {
  const { promise, resolve } = Promise.withResolvers<NodesWait>();
  const over = new AbortController();
  // It never rejects, and ends by itself after the abort.
  followEtcd({
    client,
    prefixes: [nodesPrefix],
    onChange: (state) => {
      const end = view.onChange(state);
      if (end !== undefined) resolve(end);
    },
    onEvent: (event) => {
      if (event.kind === "connecting") view.onProblem(event.reason);
    },
    signal: over.signal,
  });
  try {
    return await within(promise, { limitMs, signal });
  } catch {
    signal?.throwIfAborted();
    return view.onTimeUp();
  } finally {
    over.abort();
  }
}

/** What is known of the nodes, and what it means for the wait. */
function createView(options: NodesWaitOptions) {
  let { clusterId } = options;
  let nodes: readonly NodeView[] | undefined;
  let problem = "no answer from etcd";
  const onChange = (state: FullRead): NodesWait | undefined => {
    const reason = otherStore(state, { clusterId, revision: options.revision });
    if (reason !== undefined) return { kind: "other-store", reason };
    ({ clusterId } = state);
    ({ nodes } = parseNodes(state.entries.values(), options.nodesPrefix));
    if (nodes.length === 0) return { kind: "nobody" };
    return nodes.every((node) => hasPassed(node, options)) ? { kind: "passed", nodes } : undefined;
  };
  const onTimeUp = (): NodesWait => {
    if (nodes === undefined) return { kind: "unreadable", reason: problem };
    return { kind: "behind", nodes: nodes.filter((node) => !hasPassed(node, options)) };
  };
  return { onChange, onTimeUp, onProblem: (reason: string) => problem = reason };
}
