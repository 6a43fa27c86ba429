import { messageOf } from "../util/errors.ts";
import type { NodeView } from "../ack/keys.ts";
import { sleep, TimeUpError, within } from "../util/time.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { type NodesWait, type NodesWaitOptions, waitForNodes } from "../ack/wait.ts";
import type { Deregistration } from "./events.ts";
import type { Registration } from "./registration.ts";

/** Which server is deregistered, and how long it may take. */
export interface DeregisterOptions extends Pick<NodesWaitOptions, "server" | "nodesPrefix" | "limitMs"> {
  readonly client: EtcdClient;
  readonly registration: Registration;
  /** The entry that asks nodes to drain the server. */
  readonly drainValue: string;
  /** Ends the wait. */
  readonly hurry: AbortSignal;
}

/**
 * Asks the nodes to drain a server: a stopping backend waits until every live node has applied the revision that drains
 * it. Then its process may stop, and after that its key may be removed. Where nodes cannot be told or asked, it waits the
 * full `limitMs`, since there is nothing to wait on. Never rejects.
 */
export async function deregister(options: DeregisterOptions): Promise<Deregistration> {
  const { limitMs, hurry, registration } = options;
  const startedAt = performance.now();
  const elapsedMs = () => Math.round(performance.now() - startedAt);
  try {
    const told = tellNodes(options);
    if (told === undefined) return { kind: "unregistered" };
    const revision = await within(told, { limitMs, signal: hurry });
    const wait = { ...options, revision, limitMs: Math.max(0, limitMs - elapsedMs()), signal: hurry };
    const end = endOf(await waitForNodes(options.client, wait), elapsedMs());
    if (end.kind === "unknown") await sleep(Math.max(0, limitMs - elapsedMs()), hurry);
    return hurry.aborted ? { kind: "hurried" } : end;
  } catch (error) {
    if (hurry.aborted) return { kind: "hurried" };
    if (registration.state().kind === "ended") return { kind: "unregistered" };
    const isLate = error instanceof TimeUpError;
    const reason = isLate ? `cannot write to etcd within ${limitMs} ms` : messageOf(error);
    return { kind: "unknown", reason };
  }
}

/** The revision that nodes have to apply; `undefined` if no node can know the server. */
function tellNodes({ registration, drainValue }: DeregisterOptions): Promise<bigint> | undefined {
  const state = registration.state();
  if (state.kind === "ended") return undefined;
  // An unknown revision cannot be waited for: another put gives a known one.
  if (state.kind === "withdrawn" && state.revision !== undefined) {
    return state.revision === 0n ? undefined : Promise.resolve(state.revision);
  }
  if (state.kind === "connecting" && !state.attempted) {
    registration.withdraw();
    return undefined;
  }
  return registration.update(drainValue);
}

function endOf(wait: NodesWait, tookMs: number): Deregistration {
  switch (wait.kind) {
    case "passed":
      return { kind: "acknowledged", nodes: namesOf(wait.nodes), tookMs };
    case "behind":
      return {
        kind: "late",
        nodes: namesOf(wait.nodes),
        withoutLease: namesOf(wait.nodes.filter(({ hasLease }) => !hasLease)),
      };
    case "nobody":
      return { kind: "nobody" };
    case "unreadable":
      return { kind: "unknown", reason: `Cannot read the nodes' keys: ${wait.reason}` };
    case "other-store":
      return { kind: "unknown", reason: wait.reason };
  }
}

function namesOf(nodes: readonly NodeView[]): string[] {
  return nodes.map(({ node }) => node);
}
