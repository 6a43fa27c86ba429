import { baseDigest } from "../config/text.ts";
import type { NodeStatus } from "../ack/keys.ts";
import type { Plan } from "../plan/plan.ts";
import { type NodeFacts, readinessOf, serverCounts } from "./facts.ts";

/** What a node adds to its facts when it tells others of itself. */
export interface About {
  readonly instance: string;
  readonly revision: bigint;
  readonly draining: readonly string[];
  readonly admin: string;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

/** What a node tells others of itself. */
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

/** A plan that only writes the file changes nothing of what is served. */
function planKind({ kind }: Plan): NodeStatus["plan"] {
  return kind === "runtime" || kind === "reload" ? kind : "none";
}
