import { baseDigest } from "../config/text.ts";
import type { NodeStatus } from "../ack/keys.ts";
import type { Plan } from "../plan/plan.ts";
import { type NodeFacts, readinessOf, serverCounts } from "./facts.ts";

/** What the status of a node needs besides its facts. */
export interface About {
  readonly instance: string;
  readonly revision: bigint;
  readonly draining: readonly string[];
  readonly admin: string;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

/** The status that a node publishes. */
export function ownStatus(facts: NodeFacts, { instance, revision, draining, admin, now }: About): NodeStatus {
  const { lastPass, lastChange } = facts;
  const readiness = readinessOf(facts, now);
  return {
    node: facts.node,
    instance,
    revision,
    lagMs: Math.round(facts.lagMs),
    base: lastPass === undefined ? "" : baseDigest(lastPass.decision.desired.config.base).slice(0, 12),
    servers: serverCounts(facts),
    draining,
    rejections: lastPass?.model.rejections.length ?? 0,
    held: lastPass?.guard.held.length ?? 0,
    plan: lastChange === undefined ? "none" : planKind(lastChange.pass.decision.plan),
    tookMs: Math.round(lastChange?.pass.tookMs ?? 0),
    stale: readiness.ready && readiness.stale,
    at: new Date(now).toISOString(),
    version: facts.version,
    admin,
  };
}

/** A plan that only writes the file does not change what HAProxy serves. */
function planKind({ kind }: Plan): NodeStatus["plan"] {
  return kind === "runtime" || kind === "reload" ? kind : "none";
}
