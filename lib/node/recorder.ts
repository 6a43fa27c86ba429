import type { PublisherEvent } from "../ack/publisher.ts";
import type { MirrorEvent } from "../etcd/mirror.ts";
import type { StateDirSeen } from "../haproxy/state/keeper.ts";
import { readHealthLine } from "../haproxy/health_line.ts";
import type { Observed } from "../plan/observed.ts";
import { eventsBetween, healthBetween } from "../reconcile/events.ts";
import { lastObserved, type Pass } from "../reconcile/pass.ts";
import type { HaproxyState, SocketHealth } from "../reconcile/ports.ts";
import {
  etcdEvent,
  haproxyEvent,
  type NodeEvent,
  nodeKeysEvent,
  problemEvents,
  socketEvents,
  stateDirEvent,
} from "./events.ts";
import { createHealthNews } from "./health_news.ts";
import { type EtcdState, isReached, type NodeFacts, type NodeKeysState } from "./facts.ts";
import { type Problem, problemsOf } from "./problems.ts";

/** Collects what happens to the node: as facts about now, and as events. */
export interface NodeRecorder {
  facts(): NodeFacts;
  /** The registry changed. */
  onChange(): void;
  /** A pass starts. Its snapshot has all changes until `knownUntil`, in monotonic milliseconds. */
  onPassStart(knownUntil: number): void;
  onPass(pass: Pass): void;
  /** HAProxy was asked for the health of its servers, outside of a pass. */
  onSeen(observed: Observed): void;
  /** HAProxy wrote a line to its standard error. */
  onHaproxyLine(line: string): void;
  /** Whether HAProxy's lines can be read from now on. */
  onHearing(isHeard: boolean): void;
  onPassError(error: { message: string; retryInMs: number }): void;
  onEtcdEvent(event: MirrorEvent): void;
  onHaproxyState(state: HaproxyState): void;
  onNodeKeys(event: PublisherEvent): void;
  onHaproxyVersion(version: string): void;
  onSockets(sockets: SocketHealth): void;
  onStateDir(seen: StateDirSeen): void;
  onStopping(stopDelayMs: number): void;
  /** HAProxy was started from a file of an earlier run, which was verified at this time (wall clock). */
  onInherited(verifiedAt: number): void;
}

/** What the recorder works with. */
export interface RecorderPorts {
  /** Gets one event, or several that belong together. */
  readonly onEvents: (events: readonly NodeEvent[]) => void;
  /** HAProxy is started and stopped by others. */
  readonly attached: boolean;
  readonly admissionsWaiting: () => number;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}

const ANSWERS = { kind: "answers" } as const;

/** The facts that only change when something happens. */
type KeptFacts = Omit<NodeFacts, "lagMs" | "admissionsWaiting" | "passRunningMs">;

/** Creates the recorder of one node. */
export function createRecorder(
  start: Pick<NodeFacts, "node" | "version" | "haproxyVersion">,
  ports: RecorderPorts,
): NodeRecorder {
  let facts = firstFacts(start);
  let problems: readonly Problem[] = [];
  let passStartedAt: number | undefined;
  let knownUntil = 0;
  /** When the oldest change came that HAProxy does not serve yet. */
  let unservedSince: number | undefined;
  let changedAt = 0;
  let isHeard = false;

  const ageMs = (since: number | undefined) => since === undefined ? 0 : performance.now() - since;
  const current = (): NodeFacts => ({
    ...facts,
    lagMs: ageMs(unservedSince),
    admissionsWaiting: ports.admissionsWaiting(),
    passRunningMs: ageMs(passStartedAt),
  });
  const isNews = createHealthNews();
  /** Changes the facts. Tells the events, and which problems began or ended with the change. */
  const record = (changed: Partial<KeptFacts>, events: readonly (NodeEvent | undefined)[]): void => {
    facts = { ...facts, ...changed };
    const before = problems;
    problems = problemsOf(current());
    const news = [...events, ...problemEvents(before, problems)]
      .filter((event) => event !== undefined).filter(isNews);
    if (news.length > 0) ports.onEvents(news);
  };
  /** HAProxy's lines tell health with a reason. What passes see of health is only told while they cannot be read. */
  const isFresh = ({ kind }: NodeEvent): boolean =>
    !isHeard || (kind !== "server-up" && kind !== "server-down");

  return {
    facts: current,
    onChange: () => {
      changedAt = performance.now();
      unservedSince ??= changedAt;
    },
    onPassStart: (until) => {
      knownUntil = until;
      passStartedAt = performance.now();
    },
    onPass: (pass) => {
      passStartedAt = undefined;
      if (isReached(pass)) unservedSince = changedAt > knownUntil ? changedAt : undefined;
      const events = eventsBetween(facts.lastPass, pass).filter(isFresh);
      record(factsAfter(pass, facts, ports.now()), events);
    },
    onPassError: ({ message: reason, retryInMs }) => {
      passStartedAt = undefined;
      record({ passError: reason }, [{ kind: "pass-failed", reason, retryInMs }]);
    },
    onSeen: (observed) => record({ observed }, healthBetween(facts.observed, observed).filter(isFresh)),
    onHaproxyLine: (line) => {
      const health = readHealthLine(line);
      if (health === undefined) return;
      const { backend: service, server, up, reason } = health;
      record({}, [{ kind: up ? "server-up" : "server-down", service, server, reason }]);
    },
    onHearing: (now) => isHeard = now,
    onEtcdEvent: (event) => record({ etcd: etcdState(event, facts.etcd) }, [etcdEvent(event)]),
    onHaproxyState: (haproxy) => record({ haproxy }, [haproxyEvent(facts.haproxy, haproxy, ports)]),
    onHaproxyVersion: (haproxyVersion) => record({ haproxyVersion }, []),
    onInherited: (inheritedAt) => record({ inheritedAt }, []),
    onNodeKeys: (event) => record({ nodeKeys: nodeKeysState(event) }, [nodeKeysEvent(event)]),
    onSockets: (sockets) => record({ sockets }, socketEvents(facts.sockets, sockets)),
    onStateDir: (seen) => {
      const stateDirLost = seen.kind === "lost" ? seen.reason : undefined;
      record({ stateDirLost }, [stateDirEvent(facts.stateDirLost, seen)]);
    },
    onStopping: (stopDelayMs) => record({ stopping: true }, [{ kind: "stopping", stopDelayMs }]),
  };
}

function firstFacts(start: Pick<NodeFacts, "node" | "version" | "haproxyVersion">): KeptFacts {
  return {
    ...start,
    haproxy: { kind: "starting" },
    sockets: { worker: ANSWERS, master: ANSWERS },
    etcd: { kind: "connecting" },
    stopping: false,
    inheritedAt: undefined,
    lastPass: undefined,
    lastChange: undefined,
    passError: undefined,
    stateDirLost: undefined,
    reachedOnce: false,
    observed: { kind: "starting" },
    nodeKeys: { kind: "waiting" },
  };
}

function factsAfter(pass: Pass, before: KeptFacts, now: number): Partial<KeptFacts> {
  const isNews = pass.decision.plan.kind !== "nothing";
  return {
    lastPass: pass,
    observed: lastObserved(pass),
    lastChange: isNews ? { pass, at: now } : before.lastChange,
    reachedOnce: before.reachedOnce || isReached(pass),
    passError: undefined,
  };
}

function etcdState(event: MirrorEvent, before: EtcdState): EtcdState {
  if (event.kind === "watching") return { kind: "watching", member: event.member };
  if (event.kind === "connecting" || event.kind === "watch-ended") {
    return { kind: "lost", reason: event.reason };
  }
  if (before.kind !== "watching") return before;
  if (event.kind === "reads-refused") return { ...before, readsRefused: event.reason };
  return event.kind === "reads-answered" ? { kind: "watching", member: before.member } : before;
}

function nodeKeysState(event: PublisherEvent): NodeKeysState {
  if (event.kind === "failing") return event;
  return { kind: "published", as: event.name };
}
