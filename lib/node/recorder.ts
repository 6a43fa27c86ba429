import type { MirrorEvent } from "../etcd/mirror.ts";
import type { PublisherEvent } from "../ack/publisher.ts";
import type { StateDirSeen } from "../haproxy/state/keeper.ts";
import { log } from "../util/log.ts";
import type { Metrics } from "./metrics.ts";
import { countServers, serverKey } from "../registry/model.ts";
import type { HaproxyState, SocketHealth } from "../reconcile/ports.ts";
import type { PassReport } from "../reconcile/reconcile.ts";
import { describePlan, type Plan } from "../plan/plan.ts";
import { isServed, type NodeFacts, outcomeReason, pendingOf } from "./facts.ts";
import { createLastGoodLog, logSockets, logStateDir } from "./trouble_log.ts";

/** Gathers what happens to the node, and makes one log line of each thing. */
export interface NodeRecorder {
  facts(): NodeFacts;
  onPassStart(): void;
  onPass(report: PassReport): void;
  onPassError(error: { message: string; retryInMs: number }): void;
  onEtcdEvent(event: MirrorEvent): void;
  onHaproxyState(state: HaproxyState): void;
  onNodeKeys(event: PublisherEvent): void;
  onHaproxyVersion(version: string): void;
  onSockets(sockets: SocketHealth): void;
  onStateDir(seen: StateDirSeen): void;
  onStopping(): void;
  /** HAProxy was started from what an earlier run left, verified at the given time. */
  onInherited(verifiedAt: number): void;
}

/** How many steps of a plan, or servers, one log line shows. */
const LOGGED_ITEMS = 20;
/** How many rejections of one pass have a log line of their own. */
const LOGGED_REJECTIONS = 100;

/** Creates the recorder of one node. */
export function createRecorder(start: Pick<NodeFacts, "node" | "version" | "haproxyVersion">, ports: {
  metrics: Metrics;
  /** Somebody else owns HAProxy's life. */
  attached: boolean;
  lagMs: () => number;
  admissionsWaiting: () => number;
  now: () => number;
}): NodeRecorder {
  let facts: NodeFacts = {
    ...start,
    haproxy: { kind: "starting" },
    sockets: { worker: { kind: "answers" }, master: { kind: "answers" } },
    etcd: { kind: "connecting" },
    stopping: false,
    inheritedAt: undefined,
    lastPass: undefined,
    lastChange: undefined,
    passError: undefined,
    applyError: undefined,
    lastGoodError: undefined,
    stateDirLost: undefined,
    passRunningMs: 0,
    served: false,
    lagMs: 0,
    admissionsWaiting: 0,
    seen: undefined,
    nodeKeys: { kind: "waiting" },
  };
  const logRejections = createRejectionLog();
  const logHeld = createHeldLog();
  const logLastGood = createLastGoodLog();
  let passStartedAt: number | undefined;

  return {
    facts: () => ({
      ...facts,
      lagMs: ports.lagMs(),
      admissionsWaiting: ports.admissionsWaiting(),
      passRunningMs: passStartedAt === undefined ? 0 : performance.now() - passStartedAt,
    }),
    onStopping: () => facts = { ...facts, stopping: true },
    onInherited: (verifiedAt) => facts = { ...facts, inheritedAt: verifiedAt },
    onHaproxyVersion: (version) => facts = { ...facts, haproxyVersion: version },
    onSockets: (sockets) => {
      logSockets(facts.sockets, sockets);
      facts = { ...facts, sockets };
    },
    onStateDir: (seen) => {
      logStateDir(facts.stateDirLost, seen);
      facts = { ...facts, stateDirLost: seen.kind === "lost" ? seen.reason : undefined };
    },
    onPassStart: () => passStartedAt = performance.now(),
    onPass: (report) => {
      passStartedAt = undefined;
      ports.metrics.onPass(report);
      const isNews = report.plan.kind !== "nothing";
      facts = {
        ...facts,
        lastPass: report,
        lastChange: isNews ? { report, at: ports.now() } : facts.lastChange,
        served: facts.served || isServed(report),
        passError: undefined,
        ...failuresOf(report, facts),
      };
      logRejections(report);
      logHeld(report);
      logLastGood(report);
      for (const setback of report.setbacks) {
        log().warn("pass started over", { outcome: setback.kind, reason: outcomeReason(setback) });
      }
      if (isNews) logPass(report);
    },
    onPassError: ({ message, retryInMs }) => {
      passStartedAt = undefined;
      facts = { ...facts, passError: message };
      ports.metrics.onPassError();
      log().error("pass failed, keeping what is served", { reason: message, retryInMs });
    },
    onEtcdEvent: (event) => {
      facts = { ...facts, etcd: etcdState(event, facts.etcd) };
      recordEtcdEvent(event, ports.metrics);
    },
    onNodeKeys: (event) => {
      facts = { ...facts, nodeKeys: nodeKeysState(event) };
      logNodeKeys(event);
    },
    onHaproxyState: (state) => {
      const isNews = state.kind !== facts.haproxy.kind || !("reason" in facts.haproxy);
      facts = { ...facts, haproxy: state };
      if (state.kind === "starting" && state.reason !== undefined && isNews) {
        log().error("haproxy does not answer, waiting for it", { reason: state.reason });
      }
      if (state.kind === "up") {
        log().info(
          ports.attached ? "haproxy attached" : state.adopted ? "haproxy adopted" : "haproxy started",
          {
            pid: state.pid,
          },
        );
      }
      if (state.kind === "stopped") log().info(ports.attached ? "haproxy left running" : "haproxy stopped");
      if (state.kind !== "down") return;
      ports.metrics.onHaproxyEnd();
      const what = ports.attached ? "haproxy is away, waiting for it" : "haproxy ended, starting it again";
      log().error(what, { reason: state.reason, retryInMs: state.retryInMs });
    },
  };
}

/** A plan that was put off tells nothing new of what failed before. */
function failuresOf(
  { outcome }: PassReport,
  before: NodeFacts,
): Pick<NodeFacts, "applyError" | "lastGoodError"> {
  if (outcome === undefined) return { applyError: before.applyError, lastGoodError: before.lastGoodError };
  if (outcome.kind === "reached") return { applyError: undefined, lastGoodError: outcome.lastGoodError };
  return { applyError: outcomeReason(outcome), lastGoodError: before.lastGoodError };
}

function etcdState(event: MirrorEvent, before: NodeFacts["etcd"]): NodeFacts["etcd"] {
  if (event.kind === "watching") return { kind: "watching", member: event.member };
  if (event.kind === "connecting" || event.kind === "watch-ended") {
    return { kind: "lost", reason: event.reason };
  }
  if (before.kind !== "watching") return before;
  if (event.kind === "reads-refused") return { ...before, readsRefused: event.reason };
  return event.kind === "reads-answered" ? { kind: "watching", member: before.member } : before;
}

function nodeKeysState(event: PublisherEvent): NodeFacts["nodeKeys"] {
  if (event.kind === "failing") return event;
  return { kind: "published", as: event.name };
}

function logNodeKeys(event: PublisherEvent): void {
  if (event.kind === "failing") {
    const what = event.refused
      ? "node keys may not be written, nobody can wait for this node"
      : "node keys cannot be written, trying again";
    return log().warn(what, { reason: event.reason });
  }
  if (!event.isSecond) return log().info("node keys published", { as: event.name });
  log().warn("another node has this node's id, publishing under another name", { as: event.name });
}

function recordEtcdEvent(event: MirrorEvent, metrics: Metrics): void {
  switch (event.kind) {
    case "connecting":
      metrics.onEtcdError();
      return log().warn("waiting for etcd", { reason: event.reason, attempt: event.attempt });
    case "watch-ended":
      metrics.onEtcdError();
      return log().warn("watch ended", { reason: event.reason, readAgain: event.readAgain });
    case "reads-refused":
      metrics.onEtcdError();
      return log().warn("etcd refuses reads, the watch goes on", { reason: event.reason });
    case "reads-answered":
      return log().info("etcd answers reads again");
    case "mirror-wrong":
      metrics.onMirrorWrong();
      return log().error("mirror differs from etcd, reading everything again", { reason: event.reason });
    case "check-failed":
      return log().warn("mirror could not be compared with etcd", { reason: event.reason });
    case "read":
      return log().info("registry read", {
        revision: event.revision,
        entries: event.entries,
        why: event.why,
      });
    case "watching":
      return log().info("watching etcd", { from: event.from, member: event.member });
  }
}

function logPass(report: PassReport): void {
  const { plan, pace, outcome, model, tookMs } = report;
  const steps = describePlan(plan);
  const fields = {
    revision: model.revision,
    plan: plan.kind,
    took: Math.round(tookMs),
    services: model.services.length,
    servers: countServers(model),
    pendingRemovals: pendingOf(outcome) || undefined,
    driftRepairs: report.drift || undefined,
    steps: shortened(steps),
  };
  if (outcome === undefined) {
    return log().debug("plan put off", {
      ...fields,
      reason: pace.kind === "later" ? pace.reason : undefined,
    });
  }
  // A removal that goes on is asked again many times; it was said once.
  if (outcome.kind === "reached" && isOnlyWaiting(plan)) return log().debug("removal goes on", fields);
  if (outcome.kind === "reached") return log().info("applied", fields);
  log().error("not applied, keeping the last good config", {
    ...fields,
    outcome: outcome.kind,
    reason: outcomeReason(outcome),
  });
}

function shortened(items: readonly string[]): readonly string[] {
  if (items.length <= LOGGED_ITEMS) return items;
  return [...items.slice(0, LOGGED_ITEMS), `and ${items.length - LOGGED_ITEMS} more`];
}

function isOnlyWaiting(plan: Plan): boolean {
  return plan.kind === "runtime" &&
    plan.steps.every((step) => step.kind === "remove" && (step.isDraining || step.isMaint));
}

/** Logs each server that is held when that begins and when it ends. */
function createHeldLog(): (report: PassReport) => void {
  let known = new Set<string>();
  return ({ held, leaving }) => {
    const servers = held.map(({ server }) => serverKey(server));
    const reasons = new Map(leaving.map(({ server, reason }) => [serverKey(server), reason]));
    const fresh = servers.filter((key) => !known.has(key));
    const released = [...known.difference(new Set(servers))];
    known = new Set(servers);
    if (fresh.length > 0) {
      log().warn("servers held: too much of their service left the registry without having been drained", {
        servers: shortened(fresh),
        held: servers.length,
      });
    }
    for (const [reason, keys] of Map.groupBy(released, (key) => reasons.get(key) ?? "its entry is back")) {
      log().info("servers no longer held", { servers: shortened(keys), reason });
    }
  };
}

/** Logs each rejection once, up to a number for each pass, and a refused base once for each attempt. */
function createRejectionLog(): (report: PassReport) => void {
  let known = new Set<string>();
  let refusal = "";
  return ({ model, refusedBase, desired }) => {
    const current = new Set<string>();
    let fresh = 0;
    for (const { key, reason, revision } of model.rejections) {
      // A key can be a megabyte long.
      const name = `${key.slice(0, 1_000)} ${revision} ${reason}`;
      current.add(name);
      if (known.has(name)) continue;
      if (++fresh <= LOGGED_REJECTIONS) log().warn("entry rejected", { key, reason, revision });
    }
    if (fresh > LOGGED_REJECTIONS) {
      log().warn("more entries rejected, see /api/state", { count: fresh - LOGGED_REJECTIONS });
    }
    known = current;
    const now = refusedBase === undefined ? "" : `${refusedBase.digest} ${refusedBase.attempts}`;
    if (refusedBase !== undefined && now !== refusal) {
      const { reason, attempts } = refusedBase;
      log().error("base refused, going on with the last good one", {
        reason,
        attempts,
        waiting: desired.waiting,
      });
    }
    if (refusedBase === undefined && refusal !== "") log().info("base accepted");
    refusal = now;
  };
}
