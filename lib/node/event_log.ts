import type { PassSummary } from "../reconcile/events.ts";
import { log } from "../util/log.ts";
import type { NodeEvent } from "./events.ts";

/** How many rejections of one pass have a log line of their own. */
const LOGGED_REJECTIONS = 100;
/** How many servers one log line shows. */
const LOGGED_SERVERS = 20;

type Level = "debug" | "info" | "warn" | "error";

/** A log line: its message is constant, and what varies is in the fields. */
type Line = readonly [level: Level, message: string, fields: Record<string, unknown>];

/**
 * Writes the log: a line for each event that an operator should read. What a pass did to many servers or entries is one
 * line, or few.
 */
export function logEvents(events: readonly NodeEvent[]): void {
  for (const line of [...rejectionLines(events), ...heldLines(events), ...events.map(lineOf)]) {
    if (line === undefined) continue;
    const [level, message, fields] = line;
    log()[level](message, fields);
  }
}

function rejectionLines(events: readonly NodeEvent[]): Line[] {
  const lines = events.flatMap((event): Line[] => {
    if (event.kind !== "rejected") return [];
    const { key, reason, revision } = event;
    return [["warn", "entry rejected", { key, reason, revision }]];
  });
  const count = lines.length - LOGGED_REJECTIONS;
  if (count <= 0) return lines;
  return [
    ...lines.slice(0, LOGGED_REJECTIONS),
    ["warn", "more entries rejected, see /api/state", { count }],
  ];
}

function heldLines(events: readonly NodeEvent[]): Line[] {
  const held = events.flatMap((event) => event.kind === "held" ? [nameOf(event)] : []);
  const released = events.flatMap((event) => event.kind === "released" ? [event] : []);
  const heldLine: Line = [
    "warn",
    "servers held: too much of their service left the registry without having been drained",
    { servers: shortened(held), held: held.length },
  ];
  const byReason = [...Map.groupBy(released, ({ reason }) => reason)];
  return [
    ...(held.length === 0 ? [] : [heldLine]),
    ...byReason.map(([reason, servers]): Line => [
      "info",
      "servers no longer held",
      { servers: shortened(servers.map(nameOf)), reason },
    ]),
  ];
}

function nameOf({ service, server }: { readonly service: string; readonly server: string }): string {
  return `${service}/${server}`;
}

function shortened(items: readonly string[]): readonly string[] {
  if (items.length <= LOGGED_SERVERS) return items;
  return [...items.slice(0, LOGGED_SERVERS), `and ${items.length - LOGGED_SERVERS} more`];
}

/** Events whose line is always the same, with all fields of the event. */
const LINES = {
  "pass-failed": ["error", "pass failed, keeping what is served"],
  "base-accepted": ["info", "base accepted"],
  "last-good-not-kept": ["error", "last good config not kept, trying again"],
  "last-good-kept": ["info", "last good config kept again"],
  "problem-began": ["debug", "problem began"],
  "problem-ended": ["debug", "problem ended"],
  "etcd-connecting": ["warn", "waiting for etcd"],
  "etcd-watch-ended": ["warn", "watch ended"],
  "etcd-reads-refused": ["warn", "etcd refuses reads, the watch goes on"],
  "etcd-reads-answered": ["info", "etcd answers reads again"],
  "mirror-wrong": ["error", "mirror differs from etcd, reading everything again"],
  "mirror-check-failed": ["warn", "mirror could not be compared with etcd"],
  "registry-read": ["info", "registry read"],
  "etcd-watching": ["info", "watching etcd"],
  "haproxy-waited-for": ["error", "haproxy does not answer, waiting for it"],
  "socket-answers": ["info", "haproxy answers again"],
  "socket-stuck": ["error", "haproxy does not answer"],
  "socket-lost": ["error", "socket of haproxy lost, making it anew"],
  "state-dir-lost": ["error", "state directory was removed and cannot be made again, trying on"],
  "state-dir-made-again": ["error", "state directory was removed, made it again"],
  "state-dir-there": ["info", "state directory is there again"],
  "stopping": ["info", "stopping"],
} satisfies Partial<Record<NodeEvent["kind"], readonly [Level, string]>>;

/** The line of an event; undefined: other lines tell it. */
function lineOf(event: NodeEvent): Line | undefined {
  switch (event.kind) {
    case "applied":
      // A removal that goes on is asked again many times; it was said once.
      return event.goesOn
        ? ["debug", "removal goes on", fieldsOf(event)]
        : ["info", "applied", fieldsOf(event)];
    case "plan-put-off":
      return ["debug", "plan put off", { ...fieldsOf(event), reason: event.reason }];
    case "not-applied": {
      const { outcome, reason } = event;
      if (event.startsOver) return ["warn", "pass started over", { outcome, reason }];
      return ["error", "not applied, keeping the last good config", { ...fieldsOf(event), outcome, reason }];
    }
    case "base-refused": {
      const { reason, attempts, pendingBackends: waiting } = event;
      return ["error", "base refused, going on with the last good one", { reason, attempts, waiting }];
    }
    case "node-keys-published":
      return event.isSecond
        ? ["warn", "another node has this node's id, publishing under another name", { as: event.as }]
        : ["info", "node keys published", { as: event.as }];
    case "node-keys-failing": {
      const message = event.refused
        ? "node keys may not be written, nobody can wait for this node"
        : "node keys cannot be written, trying again";
      return ["warn", message, { reason: event.reason }];
    }
    case "haproxy-up":
      return ["info", `haproxy ${event.how}`, { pid: event.pid }];
    case "haproxy-down": {
      const { reason, retryInMs } = event;
      const message = event.attached ? "haproxy is away, waiting for it" : "haproxy ended, starting it again";
      return ["error", message, { reason, retryInMs }];
    }
    case "haproxy-stopped":
      return ["info", event.attached ? "haproxy left running" : "haproxy stopped", {}];
    case "rejected":
    case "held":
    case "released":
      // These are logged together.
      return undefined;
    case "step":
    case "reload":
    case "rejection-gone":
    case "server-up":
    case "server-down":
      // The line of the pass tells it, or HAProxy's own.
      return undefined;
    default: {
      const { kind, ...fields } = event;
      const [level, message] = LINES[kind];
      return [level, message, fields];
    }
  }
}

function fieldsOf(event: PassSummary): Record<string, unknown> {
  const { revision, plan, tookMs, services, servers, steps, moreSteps } = event;
  return {
    revision,
    plan,
    took: tookMs,
    services,
    servers,
    pendingRemovals: event.pendingRemovals || undefined,
    driftRepairs: event.driftRepairs || undefined,
    steps: moreSteps === 0 ? steps : [...steps, `and ${moreSteps} more`],
  };
}
