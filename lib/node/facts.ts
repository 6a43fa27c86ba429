import { formatAddress } from "../registry/address.ts";
import { baseDigest } from "../config/text.ts";
import type { Server } from "../registry/entry.ts";
import { escapeText } from "../util/escape.ts";
import { countServers, EMPTY_MODEL } from "../registry/model.ts";
import type { Observed } from "../plan/observed.ts";
import { describePlan } from "../plan/plan.ts";
import type { HaproxyState, SocketHealth } from "../reconcile/ports.ts";
import { failureOf } from "../reconcile/apply.ts";
import type { Pass } from "../reconcile/pass.ts";

/** The state of the connection with etcd. */
export type EtcdState =
  | { readonly kind: "connecting" }
  | {
    readonly kind: "watching";
    /** The id of the member that is watched, as etcdctl writes it. */
    readonly member: string;
    /** Why etcd refuses reads. The watch still works, but could not be opened again. */
    readonly readsRefused?: string;
  }
  | { readonly kind: "lost"; readonly reason: string };

/** All that a node knows about itself. Times are wall-clock milliseconds. */
export interface NodeFacts {
  readonly node: string;
  readonly version: string;
  readonly haproxyVersion: string;
  readonly haproxy: HaproxyState;
  readonly sockets: SocketHealth;
  readonly etcd: EtcdState;
  readonly stopping: boolean;
  /** When the last good file was verified, if HAProxy was started from a file of an earlier run. */
  readonly inheritedAt: number | undefined;
  /** The last pass, put off or not. */
  readonly lastPass: Pass | undefined;
  /** The last pass that changed something or tried to, and when. */
  readonly lastChange: { readonly pass: Pass; readonly at: number } | undefined;
  /** Why the last pass failed; undefined: it did not. */
  readonly passError: string | undefined;
  /** Why missing files of the state directory cannot be recreated; undefined: none is missing. */
  readonly stateDirLost: string | undefined;
  /** For how long the current pass has been running, in milliseconds; 0 between passes. */
  readonly passRunningMs: number;
  /** Whether HAProxy was brought to a state of the registry since the start. */
  readonly reachedOnce: boolean;
  /** The age of the oldest change that HAProxy does not serve yet, in milliseconds; 0 when there is none. */
  readonly lagMs: number;
  /** How many servers get no request until a probe has passed. */
  readonly admissionsWaiting: number;
  /** What HAProxy was last seen to run, by the last pass or later. */
  readonly observed: Observed;
  /** The keys by which the node tells others what it serves. */
  readonly nodeKeys: NodeKeysState;
}

/** The state of the node's keys. `as`: their name, which differs from the node's id while another node has that id. */
export type NodeKeysState =
  | { readonly kind: "waiting" }
  | { readonly kind: "published"; readonly as: string }
  /** `refused`: the node has no permission, so trying again does not help. */
  | { readonly kind: "failing"; readonly reason: string; readonly refused: boolean };

/** Whether clients should send requests to this node. */
export type Readiness =
  | { readonly ready: true; readonly stale: false }
  | { readonly ready: true; readonly stale: true; readonly ageMs: number }
  | { readonly ready: false; readonly reason: string };

/** A node is ready while HAProxy serves a state of the registry, also one from an earlier run. */
export function readinessOf(facts: NodeFacts, now: number): Readiness {
  if (facts.stopping) return { ready: false, reason: "stopping" };
  if (facts.haproxy.kind !== "up") {
    return { ready: false, reason: `HAProxy is ${haproxyText(facts.haproxy)}` };
  }
  // A worker whose socket is lost still serves. One that takes connections and does not answer does not.
  if (facts.sockets.worker.kind === "stuck") return { ready: false, reason: "HAProxy does not answer" };
  if (facts.reachedOnce) return { ready: true, stale: false };
  if (facts.inheritedAt !== undefined) {
    return { ready: true, stale: true, ageMs: Math.max(0, now - facts.inheritedAt) };
  }
  return { ready: false, reason: "the registry was not read yet" };
}

function haproxyText(state: HaproxyState): string {
  const reason = "reason" in state ? state.reason : undefined;
  return reason === undefined ? state.kind : `${state.kind}: ${escapeText(reason, 2_000)}`;
}

/** The node as JSON. Registry text is escaped; values and `meta` are not in it. */
export function stateJson(facts: NodeFacts, now: number): Record<string, unknown> {
  const { lastPass } = facts;
  const { services, rejections, unknownFields } = lastPass?.model ?? EMPTY_MODEL;
  return {
    node: facts.node,
    version: facts.version,
    readiness: readinessOf(facts, now),
    etcd: withShownReason(facts.etcd),
    haproxy: {
      ...withShownReason(facts.haproxy),
      version: facts.haproxyVersion,
      oldWorkers: oldWorkersOf(lastPass),
    },
    revision: lastPass === undefined ? null : Number(lastPass.model.revision),
    lagMs: Math.round(facts.lagMs),
    base: lastPass === undefined ? null : baseJson(lastPass),
    services: services.map(({ name, servers }) => ({
      name,
      servers: servers.map((server) => serverJson(server, facts.observed)),
    })),
    servers: serverCounts(facts),
    rejections: rejections.map(({ key, reason, revision }) => ({
      key: escapeText(key),
      reason: escapeText(reason, 500),
      revision: Number(revision),
    })),
    held: lastPass?.guard.held.map(({ server, until }) => ({
      service: server.service,
      id: server.id,
      address: formatAddress(server.address),
      goesInMs: Math.max(0, Math.round(until - lastPass.endedAt)),
    })) ?? [],
    admissionsWaiting: facts.admissionsWaiting,
    nodeKeys: facts.nodeKeys,
    unknownFields,
    plan: facts.lastChange === undefined ? null : planJson(facts.lastChange),
  };
}

/** Reasons of HAProxy and etcd may quote text from outside. */
function withShownReason<T extends object>(state: T): T {
  if (!("reason" in state) || typeof state.reason !== "string") return state;
  return { ...state, reason: escapeText(state.reason, 500) };
}

function baseJson({ decision: { desired }, state: { refusedBase } }: Pass) {
  return {
    digest: baseDigest(desired.config.base).slice(0, 12),
    from: desired.base,
    waiting: desired.pendingBackends,
    refused: refusedBase === undefined ? null : {
      digest: refusedBase.digest.slice(0, 12),
      reason: escapeText(refusedBase.reason, 2_000),
      attempts: refusedBase.attempts,
    },
  };
}

function serverJson(server: Server, observed: Observed) {
  return {
    id: server.id,
    address: formatAddress(server.address),
    state: server.state,
    weight: server.weight,
    backup: server.backup,
    revision: Number(server.revision),
    up: isUp(server, observed) ?? null,
  };
}

/** Undefined: HAProxy does not run the server, or does not answer. */
function isUp({ service, id }: Server, observed: Observed): boolean | undefined {
  return observed.kind === "up" ? observed.servers.get(service)?.get(id)?.up : undefined;
}

/** How many servers the registry has, and how many of them HAProxy sends requests to. */
export function serverCounts(
  { lastPass, observed }: Pick<NodeFacts, "lastPass" | "observed">,
): { total: number; up: number } {
  const model = lastPass?.model ?? EMPTY_MODEL;
  const up = model.services.flatMap(({ servers }) => servers.filter((server) => isUp(server, observed)));
  return { total: countServers(model), up: up.length };
}

function planJson({ pass, at }: { pass: Pass; at: number }) {
  const { decision: { plan, pace }, outcome, model, tookMs } = pass;
  const reason = outcome && failureOf(outcome);
  return {
    kind: plan.kind,
    revision: Number(model.revision),
    at: new Date(at).toISOString(),
    tookMs: Math.round(tookMs),
    pace: pace.kind === "now" ? { kind: "now" } : withShownReason({ kind: "later", reason: pace.reason }),
    outcome: outcome?.kind ?? null,
    reason: outcome === undefined ? null : reason && escapeText(reason, 2_000),
    steps: describePlan(plan).map((step) => escapeText(step, 500)),
    pendingRemovals: pendingOf(pass),
    driftRepairs: pass.drift,
  };
}

/** How many removed servers still hold requests. */
export function pendingOf(pass: Pass | undefined): number {
  return pass?.outcome?.kind === "reached" ? pass.outcome.pending : 0;
}

/** How many workers still run that a reload has retired. */
export function oldWorkersOf(pass: Pass | undefined): number {
  return pass?.observed.processes.oldWorkers ?? 0;
}

/** Whether HAProxy runs what the pass wanted. Writing the file for an HAProxy that is down is not enough. */
export function isReached({ outcome }: Pass): boolean {
  return outcome?.kind === "reached" && outcome.observed.kind === "up";
}
