import { escapeText } from "../util/escape.ts";
import type { HeldServer } from "../guard/guard.ts";
import { serverKey } from "../registry/model.ts";
import type { SocketState } from "../reconcile/ports.ts";
import { INITIAL_STATE } from "../reconcile/state.ts";
import type { NodeFacts } from "./facts.ts";

/** What can be wrong with a node. */
export const PROBLEM_KINDS = [
  "haproxy-down",
  "worker-stuck",
  "runtime-socket-lost",
  "master-stuck",
  "master-socket-lost",
  "etcd-lost",
  "etcd-reads-refused",
  "pass-failed",
  "pass-slow",
  "not-applied",
  "base-refused",
  "last-good-not-kept",
  "state-dir-lost",
  "node-keys-refused",
  "node-id-taken",
  "servers-held",
] as const;

export type ProblemKind = typeof PROBLEM_KINDS[number];

/** One thing that is wrong now; the node goes on trying. */
export interface Problem {
  readonly kind: ProblemKind;
  readonly reason: string;
}

/** A pass that takes longer than this is waiting for something. */
const SLOW_PASS_MS = 2_000;

/** All that is wrong with the node now; nothing while it follows and serves. Text from outside is escaped. */
export function problemsOf(facts: NodeFacts): Problem[] {
  const { haproxy, etcd, sockets, passError, stateDirLost, passRunningMs } = facts;
  const { lastPass, nodeKeys, node } = facts;
  const { refusedBase, applyError, lastGoodError } = lastPass?.state ?? INITIAL_STATE;
  const problems: (Problem | undefined)[] = [
    haproxy.kind === "down" ? { kind: "haproxy-down", reason: haproxy.reason } : undefined,
    haproxy.kind === "starting" && haproxy.reason !== undefined
      ? { kind: "master-stuck", reason: haproxy.reason }
      : undefined,
    silence(sockets.worker, { stuck: "worker-stuck", lost: "runtime-socket-lost" }),
    silence(sockets.master, { stuck: "master-stuck", lost: "master-socket-lost" }),
    etcd.kind === "lost" ? { kind: "etcd-lost", reason: etcd.reason } : undefined,
    etcd.kind === "watching" && etcd.readsRefused !== undefined
      ? { kind: "etcd-reads-refused", reason: etcd.readsRefused }
      : undefined,
    passError === undefined ? undefined : { kind: "pass-failed", reason: passError },
    applyError === undefined ? undefined : { kind: "not-applied", reason: applyError },
    refusedBase === undefined ? undefined : { kind: "base-refused", reason: refusedBase.reason },
    lastGoodError === undefined ? undefined : { kind: "last-good-not-kept", reason: lastGoodError },
    stateDirLost === undefined ? undefined : { kind: "state-dir-lost", reason: stateDirLost },
    nodeKeys.kind === "failing" && nodeKeys.refused
      ? { kind: "node-keys-refused", reason: nodeKeys.reason }
      : undefined,
    nodeKeys.kind === "published" && nodeKeys.as !== node
      ? { kind: "node-id-taken", reason: `another node has the id ${node}, so this one is ${nodeKeys.as}` }
      : undefined,
    heldProblem(lastPass?.guard.held ?? []),
    passRunningMs > SLOW_PASS_MS
      ? { kind: "pass-slow", reason: `a pass has been running for ${Math.round(passRunningMs / 1_000)} s` }
      : undefined,
  ];
  return problems.filter((trouble) => trouble !== undefined)
    .map(({ kind, reason }) => ({ kind, reason: escapeText(reason, 2_000) }));
}

function heldProblem(held: readonly HeldServer[]): Problem | undefined {
  if (held.length === 0) return undefined;
  const shown = held.slice(0, 10).map(({ server }) => serverKey(server)).join(", ");
  const more = held.length > 10 ? ` and ${held.length - 10} more` : "";
  return {
    kind: "servers-held",
    reason: `vanished in numbers, and served on for a while: ${shown}${more}`,
  };
}

function silence(
  answer: SocketState,
  kinds: Readonly<Record<"stuck" | "lost", ProblemKind>>,
): Problem | undefined {
  return answer.kind === "answers" ? undefined : { kind: kinds[answer.kind], reason: answer.reason };
}
