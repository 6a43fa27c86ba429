import type { PublisherEvent } from "../ack/publisher.ts";
import type { MirrorEvent } from "../etcd/mirror.ts";
import type { StateDirSeen } from "../haproxy/state/keeper.ts";
import type { PassEvent } from "../reconcile/events.ts";
import type { HaproxyState, SocketHealth, SocketState } from "../reconcile/ports.ts";
import type { Problem } from "./problems.ts";

/** The process of HAProxy that a socket belongs to. */
export type SocketOwner = keyof SocketHealth;

/**
 * All that can happen to a node, as flat data for the journal. Each folder declares its own events; they are joined here.
 * Text from outside is not escaped.
 */
export type NodeEvent =
  | PassEvent
  | { readonly kind: "pass-failed"; readonly reason: string; readonly retryInMs: number }
  | { readonly kind: "problem-began" | "problem-ended"; readonly problem: string; readonly reason: string }
  | { readonly kind: "etcd-connecting"; readonly reason: string; readonly attempt: number }
  | {
    readonly kind: "registry-read";
    readonly revision: number;
    readonly entries: number;
    readonly why: string;
  }
  | { readonly kind: "etcd-watching"; readonly from: number; readonly member: string }
  | { readonly kind: "etcd-watch-ended"; readonly reason: string; readonly readAgain: boolean }
  | { readonly kind: "etcd-reads-refused"; readonly reason: string }
  | { readonly kind: "etcd-reads-answered" }
  | { readonly kind: "mirror-wrong" | "mirror-check-failed"; readonly reason: string }
  | { readonly kind: "node-keys-published"; readonly as: string; readonly isSecond: boolean }
  | { readonly kind: "node-keys-failing"; readonly reason: string; readonly refused: boolean }
  | { readonly kind: "haproxy-waited-for"; readonly reason: string }
  | {
    readonly kind: "haproxy-up";
    readonly pid: number;
    readonly how: "started" | "adopted" | "attached";
  }
  | {
    readonly kind: "haproxy-down";
    readonly reason: string;
    readonly retryInMs: number;
    readonly attached: boolean;
  }
  | { readonly kind: "haproxy-stopped"; readonly attached: boolean }
  | { readonly kind: "socket-lost" | "socket-stuck"; readonly process: SocketOwner; readonly reason: string }
  | { readonly kind: "socket-answers"; readonly process: SocketOwner }
  | { readonly kind: "state-dir-lost"; readonly reason: string }
  | { readonly kind: "state-dir-made-again"; readonly missing: readonly string[] }
  | { readonly kind: "state-dir-there" }
  | { readonly kind: "stopping"; readonly stopDelayMs: number };

/** What happened to the connection with etcd. */
export function etcdEvent(event: MirrorEvent): NodeEvent {
  switch (event.kind) {
    case "connecting":
      return { ...event, kind: "etcd-connecting" };
    case "read":
      return { ...event, kind: "registry-read", revision: Number(event.revision) };
    case "watching":
      return { ...event, kind: "etcd-watching", from: Number(event.from) };
    case "watch-ended":
      return { ...event, kind: "etcd-watch-ended" };
    case "reads-refused":
      return { ...event, kind: "etcd-reads-refused" };
    case "reads-answered":
      return { ...event, kind: "etcd-reads-answered" };
    case "check-failed":
      return { ...event, kind: "mirror-check-failed" };
    case "mirror-wrong":
      return event;
  }
}

/** What happened to the keys of the node. */
export function nodeKeysEvent(event: PublisherEvent): NodeEvent {
  if (event.kind === "failing") return { ...event, kind: "node-keys-failing" };
  return { kind: "node-keys-published", as: event.name, isSecond: event.isSecond };
}

/** What happened to HAProxy; undefined: nothing new. */
export function haproxyEvent(
  before: HaproxyState,
  now: HaproxyState,
  { attached }: { readonly attached: boolean },
): NodeEvent | undefined {
  switch (now.kind) {
    case "starting": {
      const isKnown = before.kind === "starting" && before.reason !== undefined;
      if (now.reason === undefined || isKnown) return undefined;
      return { kind: "haproxy-waited-for", reason: now.reason };
    }
    case "up": {
      const how = attached ? "attached" : now.adopted ? "adopted" : "started";
      return { kind: "haproxy-up", pid: now.pid, how };
    }
    case "down":
      return { kind: "haproxy-down", reason: now.reason, retryInMs: now.retryInMs, attached };
    case "stopped":
      return { kind: "haproxy-stopped", attached };
  }
}

/** Which of HAProxy's sockets stopped or started to answer. */
export function socketEvents(before: SocketHealth, now: SocketHealth): NodeEvent[] {
  return (["worker", "master"] as const).flatMap((process) =>
    socketEvent(process, before[process], now[process])
  );
}

function socketEvent(process: SocketOwner, before: SocketState, now: SocketState): NodeEvent[] {
  if (before.kind === now.kind) return [];
  if (now.kind === "answers") return [{ kind: "socket-answers", process }];
  return [{ kind: now.kind === "lost" ? "socket-lost" : "socket-stuck", process, reason: now.reason }];
}

/** What happened to the state directory. `lost`: why it could not be recreated when it was checked before. */
export function stateDirEvent(lost: string | undefined, seen: StateDirSeen): NodeEvent | undefined {
  if (seen.kind === "made-again") return { kind: "state-dir-made-again", missing: seen.missing };
  if (seen.kind === "there") return lost === undefined ? undefined : { kind: "state-dir-there" };
  return seen.reason === lost ? undefined : { kind: "state-dir-lost", reason: seen.reason };
}

/** Which problems began and which ended. A problem whose reason changed is still the same problem. */
export function problemEvents(before: readonly Problem[], now: readonly Problem[]): NodeEvent[] {
  const told = (kind: "problem-began" | "problem-ended", problems: readonly Problem[]): NodeEvent[] =>
    problems.map(({ kind: problem, reason }) => ({ kind, problem, reason }));
  return [...told("problem-began", newIn(now, before)), ...told("problem-ended", newIn(before, now))];
}

/** The first problem of each kind that the others do not have: two checks can find the same problem. */
function newIn(problems: readonly Problem[], others: readonly Problem[]): Problem[] {
  return problems.filter(({ kind }, at) =>
    !others.some((other) => other.kind === kind) &&
    problems.findIndex((other) => other.kind === kind) === at
  );
}
