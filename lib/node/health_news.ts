import type { NodeEvent } from "./events.ts";

/** How many servers are remembered; of more, some changes may be told twice. */
const MOST = 20_000;

/**
 * Tells which events are news. A server that goes up or down is told by HAProxy in a line, with its reason, and found
 * again by the next look at it: the first of both counts.
 */
export function createHealthNews(): (event: NodeEvent) => boolean {
  const known = new Map<string, boolean>();
  return (event) => {
    if (event.kind !== "server-up" && event.kind !== "server-down") return true;
    const key = `${event.service}/${event.server}`;
    const up = event.kind === "server-up";
    if (known.get(key) === up) return false;
    if (known.size >= MOST) known.clear();
    known.set(key, up);
    return true;
  };
}
