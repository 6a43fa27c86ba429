import { escapeText } from "../util/escape.ts";
import type { HeldServer } from "../guard/guard.ts";
import { serverKey } from "../registry/model.ts";
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
  const { node, haproxy, sockets, etcd, nodeKeys, lastPass, passRunningMs } = facts;
  const { refusedBase, applyError, lastGoodError } = lastPass?.state ?? INITIAL_STATE;
  const taken = nodeKeys.kind === "published" && nodeKeys.as !== node ? nodeKeys.as : undefined;
  const found: [kind: ProblemKind, reason: string | undefined][] = [
    ["haproxy-down", reasonIf(haproxy, "down")],
    ["master-stuck", reasonIf(haproxy, "starting")],
    ["worker-stuck", reasonIf(sockets.worker, "stuck")],
    ["runtime-socket-lost", reasonIf(sockets.worker, "lost")],
    ["master-stuck", reasonIf(sockets.master, "stuck")],
    ["master-socket-lost", reasonIf(sockets.master, "lost")],
    ["etcd-lost", reasonIf(etcd, "lost")],
    ["etcd-reads-refused", etcd.kind === "watching" ? etcd.readsRefused : undefined],
    ["pass-failed", facts.passError],
    ["not-applied", applyError],
    ["base-refused", refusedBase?.reason],
    ["last-good-not-kept", lastGoodError],
    ["state-dir-lost", facts.stateDirLost],
    ["node-keys-refused", nodeKeys.kind === "failing" && nodeKeys.refused ? nodeKeys.reason : undefined],
    ["node-id-taken", taken && `another node has the id ${node}, so this one is ${taken}`],
    ["servers-held", heldReason(lastPass?.guard.held ?? [])],
    ["pass-slow", passRunningMs > SLOW_PASS_MS ? slowReason(passRunningMs) : undefined],
  ];
  return found.flatMap(([kind, reason]) =>
    reason === undefined ? [] : [{ kind, reason: escapeText(reason, 2_000) }]
  );
}

/** The reason of a state, if it is of this kind and has one. */
function reasonIf<K extends string>(
  state: { readonly kind: K; readonly reason?: string },
  kind: K,
): string | undefined {
  return state.kind === kind ? state.reason : undefined;
}

function slowReason(ms: number): string {
  return `a pass has been running for ${Math.round(ms / 1_000)} s`;
}

function heldReason(held: readonly HeldServer[]): string | undefined {
  if (held.length === 0) return undefined;
  const shown = held.slice(0, 10).map(({ server }) => serverKey(server)).join(", ");
  const more = held.length > 10 ? ` and ${held.length - 10} more` : "";
  return `vanished in numbers, and served on for a while: ${shown}${more}`;
}
