import type { PassSummary } from "../reconcile/events.ts";
import { log } from "../util/log.ts";
import type { NodeEvent } from "./events.ts";

/** How many rejections of one pass are logged with a line each. */
const LOGGED_REJECTIONS = 100;
/** How many servers one log line shows. */
const LOGGED_SERVERS = 20;

type Level = "debug" | "info" | "warn" | "error";

/** A log line. Its message is constant; what varies is in the fields. */
type Line = readonly [level: Level, message: string, fields: Record<string, unknown>];

/**
 * Logs events that belong together, with a line for each one that an operator should read. Many entries or servers of one
 * pass get one line, or few.
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
  const shown = lines.slice(0, LOGGED_REJECTIONS);
  return [...shown, ["warn", "more entries rejected, see /api/state", { count }]];
}

function heldLines(events: readonly NodeEvent[]): Line[] {
  const held = events.filter((event) => event.kind === "held");
  const released = events.filter((event) => event.kind === "released");
  const lines: Line[] = [];
  if (held.length > 0) {
    const message = "holding servers: too many of this service vanished without draining";
    lines.push(["warn", message, { servers: namesOf(held), held: held.length }]);
  }
  for (const [reason, servers] of Map.groupBy(released, ({ reason }) => reason)) {
    lines.push(["info", "servers no longer held", { servers: namesOf(servers), reason }]);
  }
  return lines;
}

/** The first servers by name, and how many more there are. */
function namesOf(servers: readonly { readonly service: string; readonly server: string }[]): string[] {
  const names = servers.slice(0, LOGGED_SERVERS).map(({ service, server }) => `${service}/${server}`);
  const more = servers.length - names.length;
  return more === 0 ? names : [...names, `and ${more} more`];
}

/** Events whose message is always the same. Their line has all fields of the event. */
const LINES = {
  "pass-failed": ["error", "pass failed, haproxy keeps serving"],
  "base-accepted": ["info", "base accepted"],
  "last-good-not-kept": ["error", "cannot keep the last good config, retrying"],
  "last-good-kept": ["info", "last good config is kept again"],
  "problem-began": ["debug", "problem began"],
  "problem-ended": ["debug", "problem ended"],
  "etcd-connecting": ["warn", "waiting for etcd"],
  "etcd-watch-ended": ["warn", "watch ended"],
  "etcd-reads-refused": ["warn", "etcd refuses reads, the watch still works"],
  "etcd-reads-answered": ["info", "etcd answers reads again"],
  "mirror-wrong": ["error", "mirror differs from etcd, reading everything again"],
  "mirror-check-failed": ["warn", "cannot compare the mirror with etcd"],
  "registry-read": ["info", "registry read"],
  "etcd-watching": ["info", "watching etcd"],
  "haproxy-waited-for": ["error", "haproxy does not answer, waiting for it"],
  "socket-answers": ["info", "haproxy answers again"],
  "socket-stuck": ["error", "haproxy does not answer"],
  "socket-lost": ["error", "haproxy socket missing, recreating it"],
  "state-dir-lost": ["error", "state directory was removed and cannot be recreated, retrying"],
  "state-dir-made-again": ["error", "state directory was removed, recreated it"],
  "state-dir-there": ["info", "state directory exists again"],
  "stopping": ["info", "stopping"],
} satisfies Partial<Record<NodeEvent["kind"], readonly [Level, string]>>;

/** The line of an event. Undefined: other lines tell it. */
function lineOf(event: NodeEvent): Line | undefined {
  switch (event.kind) {
    case "applied":
      // HAProxy is asked many times to remove a server that still has requests.
      return event.goesOn
        ? ["debug", "removal continues", fieldsOf(event)]
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
      return ["error", "base refused, keeping the last good one", { reason, attempts, waiting }];
    }
    case "node-keys-published":
      return event.isSecond
        ? ["warn", "another node has this node's id, publishing under another name", { as: event.as }]
        : ["info", "node keys published", { as: event.as }];
    case "node-keys-failing": {
      const message = event.refused
        ? "no permission to write node keys, clients cannot wait for this node"
        : "cannot write node keys, retrying";
      return ["warn", message, { reason: event.reason }];
    }
    case "haproxy-up":
      return ["info", `haproxy ${event.how}`, { pid: event.pid }];
    case "haproxy-down": {
      const { reason, retryInMs } = event;
      const message = event.attached
        ? "haproxy does not run, waiting for it"
        : "haproxy ended, restarting it";
      return ["error", message, { reason, retryInMs }];
    }
    case "haproxy-stopped":
      return ["info", event.attached ? "haproxy left running" : "haproxy stopped", {}];
    case "rejected":
    case "held":
    case "released":
      // Logged above, several on a line.
      return undefined;
    case "step":
    case "reload":
    case "rejection-gone":
    case "server-up":
    case "server-down":
      // The line of the pass tells it, or a line of HAProxy.
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
