import type { PassSummary } from "../reconcile/events.ts";
import { log } from "../util/log.ts";
import type { NodeEvent } from "./events.ts";

/** How many rejections of one pass have a log line of their own. */
const LOGGED_REJECTIONS = 100;
/** How many servers one log line shows. */
const LOGGED_SERVERS = 20;

/**
 * Writes the log: a line, with a constant message, for each event that an operator should read. What a pass did to many
 * servers or entries is one line, or few.
 */
export function logEvents(events: readonly NodeEvent[]): void {
  logRejections(events);
  logHeld(events);
  for (const event of events) if (!TOGETHER.has(event.kind)) logEvent(event);
}

/** Events that are logged together. */
const TOGETHER: ReadonlySet<NodeEvent["kind"]> = new Set(["rejected", "held", "released"]);

type Rejected = Extract<NodeEvent, { readonly kind: "rejected" | "rejection-gone" }>;

function logRejections(events: readonly NodeEvent[]): void {
  const rejected = events.filter((event): event is Rejected => event.kind === "rejected");
  for (const { key, reason, revision } of rejected.slice(0, LOGGED_REJECTIONS)) {
    log().warn("entry rejected", { key, reason, revision });
  }
  const more = rejected.length - LOGGED_REJECTIONS;
  if (more > 0) log().warn("more entries rejected, see /api/state", { count: more });
}

type Held = Extract<NodeEvent, { readonly kind: "held" }>;
type Released = Extract<NodeEvent, { readonly kind: "released" }>;

function logHeld(events: readonly NodeEvent[]): void {
  const held = events.filter((event): event is Held => event.kind === "held");
  if (held.length > 0) {
    log().warn("servers held: too much of their service left the registry without having been drained", {
      servers: shortened(held.map(nameOf)),
      held: held.length,
    });
  }
  const released = events.filter((event): event is Released => event.kind === "released");
  for (const [reason, servers] of Map.groupBy(released, ({ reason }) => reason)) {
    log().info("servers no longer held", { servers: shortened(servers.map(nameOf)), reason });
  }
}

function nameOf({ service, server }: { readonly service: string; readonly server: string }): string {
  return `${service}/${server}`;
}

function shortened(items: readonly string[]): readonly string[] {
  if (items.length <= LOGGED_SERVERS) return items;
  return [...items.slice(0, LOGGED_SERVERS), `and ${items.length - LOGGED_SERVERS} more`];
}

function logEvent(event: NodeEvent): void {
  switch (event.kind) {
    case "applied":
      // A removal that goes on is asked again many times; it was said once.
      if (event.goesOn) return log().debug("removal goes on", fieldsOf(event));
      return log().info("applied", fieldsOf(event));
    case "plan-put-off":
      return log().debug("plan put off", { ...fieldsOf(event), reason: event.reason });
    case "not-applied":
      if (event.startsOver) {
        return log().warn("pass started over", { outcome: event.outcome, reason: event.reason });
      }
      return log().error("not applied, keeping the last good config", {
        ...fieldsOf(event),
        outcome: event.outcome,
        reason: event.reason,
      });
    case "pass-failed":
      return log().error("pass failed, keeping what is served", {
        reason: event.reason,
        retryInMs: event.retryInMs,
      });
    case "base-refused":
      return log().error("base refused, going on with the last good one", {
        reason: event.reason,
        attempts: event.attempts,
        waiting: event.pendingBackends,
      });
    case "base-accepted":
      return log().info("base accepted");
    case "last-good-not-kept":
      return log().error("last good config not kept, trying again", { reason: event.reason });
    case "last-good-kept":
      return log().info("last good config kept again");
    case "problem-began":
    case "problem-ended":
      return log().debug(event.kind === "problem-began" ? "problem began" : "problem ended", {
        problem: event.problem,
        reason: event.reason,
      });
    case "stopping":
      return log().info("stopping", { stopDelayMs: event.stopDelayMs });
    case "step":
    case "reload":
    case "rejected":
    case "rejection-gone":
    case "held":
    case "released":
    case "server-up":
    case "server-down":
      // Told by the line of the pass, or by HAProxy's own.
      return;
    default:
      return logConnection(event);
  }
}

type ConnectionEvent = Extract<
  NodeEvent,
  {
    readonly kind:
      | `etcd-${string}`
      | `mirror-${string}`
      | "registry-read"
      | `node-keys-${string}`
      | `haproxy-${string}`
      | `socket-${string}`
      | `state-dir-${string}`;
  }
>;

/** What a node is connected with: etcd, HAProxy, its own directory. */
function logConnection(event: ConnectionEvent): void {
  switch (event.kind) {
    case "etcd-connecting":
      return log().warn("waiting for etcd", { reason: event.reason, attempt: event.attempt });
    case "etcd-watch-ended":
      return log().warn("watch ended", { reason: event.reason, readAgain: event.readAgain });
    case "etcd-reads-refused":
      return log().warn("etcd refuses reads, the watch goes on", { reason: event.reason });
    case "etcd-reads-answered":
      return log().info("etcd answers reads again");
    case "mirror-wrong":
      return log().error("mirror differs from etcd, reading everything again", { reason: event.reason });
    case "mirror-check-failed":
      return log().warn("mirror could not be compared with etcd", { reason: event.reason });
    case "registry-read":
      return log().info("registry read", {
        revision: event.revision,
        entries: event.entries,
        why: event.why,
      });
    case "etcd-watching":
      return log().info("watching etcd", { from: event.from, member: event.member });
    case "node-keys-published":
      if (!event.isSecond) return log().info("node keys published", { as: event.as });
      return log().warn("another node has this node's id, publishing under another name", { as: event.as });
    case "node-keys-failing":
      return log().warn(
        event.refused
          ? "node keys may not be written, nobody can wait for this node"
          : "node keys cannot be written, trying again",
        { reason: event.reason },
      );
    case "haproxy-waited-for":
      return log().error("haproxy does not answer, waiting for it", { reason: event.reason });
    case "haproxy-up":
      return log().info(`haproxy ${event.how}`, { pid: event.pid });
    case "haproxy-down":
      return log().error(
        event.attached ? "haproxy is away, waiting for it" : "haproxy ended, starting it again",
        { reason: event.reason, retryInMs: event.retryInMs },
      );
    case "haproxy-stopped":
      return log().info(event.attached ? "haproxy left running" : "haproxy stopped");
    case "socket-answers":
      return log().info("haproxy answers again", { process: event.process });
    case "socket-stuck":
      return log().error("haproxy does not answer", { process: event.process, reason: event.reason });
    case "socket-lost":
      return log().error("socket of haproxy lost, making it anew", {
        process: event.process,
        reason: event.reason,
      });
    case "state-dir-lost":
      return log().error("state directory was removed and cannot be made again, trying on", {
        reason: event.reason,
      });
    case "state-dir-made-again":
      return log().error("state directory was removed, made it again", { missing: event.missing });
    case "state-dir-there":
      return log().info("state directory is there again");
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
