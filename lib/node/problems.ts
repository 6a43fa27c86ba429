import { escapeText } from "../util/escape.ts";
import { serverKey } from "../registry/model.ts";
import type { NodeFacts } from "./facts.ts";

/** A pass that takes longer is waiting for something. */
const SLOW_PASS_MS = 2_000;

/** All problems that a node can have, each with what gives its reason while it is there. A kind can have two causes. */
const PROBLEMS = [
  ["haproxy-down", ({ haproxy }) => reasonIf(haproxy, "down")],
  ["master-stuck", ({ haproxy }) => reasonIf(haproxy, "starting")],
  ["worker-stuck", ({ sockets }) => reasonIf(sockets.worker, "stuck")],
  ["runtime-socket-lost", ({ sockets }) => reasonIf(sockets.worker, "lost")],
  ["master-stuck", ({ sockets }) => reasonIf(sockets.master, "stuck")],
  ["master-socket-lost", ({ sockets }) => reasonIf(sockets.master, "lost")],
  ["etcd-lost", ({ etcd }) => reasonIf(etcd, "lost")],
  ["etcd-reads-refused", ({ etcd }) => etcd.kind === "watching" ? etcd.readsRefused : undefined],
  ["pass-failed", ({ passError }) => passError],
  ["not-applied", ({ lastPass }) => lastPass?.state.applyError],
  ["base-refused", ({ lastPass }) => lastPass?.state.refusedBase?.reason],
  ["last-good-not-kept", ({ lastPass }) => lastPass?.state.lastGoodError],
  ["state-dir-lost", ({ stateDirLost }) => stateDirLost],
  [
    "node-keys-refused",
    ({ nodeKeys }) => nodeKeys.kind === "failing" && nodeKeys.refused ? nodeKeys.reason : undefined,
  ],
  ["node-id-taken", takenReason],
  ["servers-held", heldReason],
  ["pass-slow", slowReason],
] as const satisfies readonly (readonly [kind: string, reason: (facts: NodeFacts) => string | undefined])[];

export type ProblemKind = typeof PROBLEMS[number][0];

/** All kinds of problems. */
export const PROBLEM_KINDS: readonly ProblemKind[] = [...new Set(PROBLEMS.map(([kind]) => kind))];

/** One thing that is wrong now. The node keeps trying. */
export interface Problem {
  readonly kind: ProblemKind;
  readonly reason: string;
}

/** All that is wrong with the node now. Text from outside is escaped. */
export function problemsOf(facts: NodeFacts): Problem[] {
  return PROBLEMS.flatMap(([kind, reasonOf]) => {
    const reason = reasonOf(facts);
    return reason === undefined ? [] : [{ kind, reason: escapeText(reason, 2_000) }];
  });
}

/** The reason of a state, if it is of this kind and has one. */
function reasonIf<K extends string>(
  state: { readonly kind: K; readonly reason?: string },
  kind: K,
): string | undefined {
  return state.kind === kind ? state.reason : undefined;
}

function takenReason({ node, nodeKeys }: NodeFacts): string | undefined {
  if (nodeKeys.kind !== "published" || nodeKeys.as === node) return undefined;
  return `another node has the id ${node}, so this one is ${nodeKeys.as}`;
}

function heldReason({ lastPass }: NodeFacts): string | undefined {
  const held = lastPass?.guard.held ?? [];
  if (held.length === 0) return undefined;
  const shown = held.slice(0, 10).map(({ server }) => serverKey(server)).join(", ");
  const more = held.length > 10 ? ` and ${held.length - 10} more` : "";
  return `too many vanished at once without draining, kept for --guard-time at most: ${shown}${more}`;
}

function slowReason({ passRunningMs }: NodeFacts): string | undefined {
  if (passRunningMs <= SLOW_PASS_MS) return undefined;
  return `a pass has been running for ${Math.round(passRunningMs / 1_000)} s`;
}
