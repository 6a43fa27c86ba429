import type { Step } from "../plan/step.ts";
import type { NodeEvent } from "./events.ts";

/** How many servers are remembered. With more servers, some changes may be told twice. */
const MOST = 20_000;

/** After these steps the health of a server is unknown: it is another server, or it is not checked. */
const FORGETTING: ReadonlySet<string> = new Set<Step["kind"]>(["add", "replace", "remove", "maint", "ready"]);

/**
 * Tells which events are news. A server that goes up or down is reported by HAProxy in a line, with a reason, and is seen
 * again by the next look at HAProxy. Only the first of both counts.
 */
export function createHealthNews(): (event: NodeEvent) => boolean {
  const known = new Map<string, boolean>();
  return (event) => {
    if (event.kind === "haproxy-up") known.clear();
    if (event.kind === "step" && FORGETTING.has(event.action)) known.delete(keyOf(event));
    if (event.kind !== "server-up" && event.kind !== "server-down") return true;
    const key = keyOf(event);
    const up = event.kind === "server-up";
    if (known.get(key) === up) return false;
    if (known.size >= MOST) known.clear();
    known.set(key, up);
    return true;
  };
}

function keyOf({ service, server }: { readonly service: string; readonly server: string }): string {
  return `${service}/${server}`;
}
