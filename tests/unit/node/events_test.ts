import { assertEquals } from "@std/assert";
import type { MirrorEvent } from "../../../lib/etcd/mirror.ts";
import type { StateDirSeen } from "../../../lib/haproxy/state/keeper.ts";
import {
  etcdEvent,
  haproxyEvent,
  type NodeEvent,
  nodeKeysEvent,
  problemEvents,
  socketEvents,
  stateDirEvent,
} from "../../../lib/node/events.ts";
import type { Problem } from "../../../lib/node/problems.ts";
import type { HaproxyState, SocketState } from "../../../lib/reconcile/ports.ts";

const etcd: [event: MirrorEvent, told: NodeEvent][] = [
  [
    { kind: "connecting", reason: "no answer", attempt: 2 },
    { kind: "etcd-connecting", reason: "no answer", attempt: 2 },
  ],
  [
    { kind: "read", revision: 9n, entries: 3, why: "start" },
    { kind: "registry-read", revision: 9, entries: 3, why: "start" },
  ],
  [{ kind: "watching", from: 10n, member: "8e9e" }, { kind: "etcd-watching", from: 10, member: "8e9e" }],
  [
    { kind: "watch-ended", reason: "cut off", readAgain: true },
    { kind: "etcd-watch-ended", reason: "cut off", readAgain: true },
  ],
  [{ kind: "reads-refused", reason: "denied" }, { kind: "etcd-reads-refused", reason: "denied" }],
  [{ kind: "reads-answered" }, { kind: "etcd-reads-answered" }],
  [{ kind: "mirror-wrong", reason: "a key differs" }, { kind: "mirror-wrong", reason: "a key differs" }],
  [{ kind: "check-failed", reason: "no answer" }, { kind: "mirror-check-failed", reason: "no answer" }],
];

for (const [event, told] of etcd) {
  Deno.test(`etcdEvent() tells ${event.kind} as ${told.kind}`, () => assertEquals(etcdEvent(event), told));
}

Deno.test("nodeKeysEvent() tells the name of the keys, or why they cannot be written", () => {
  assertEquals(nodeKeysEvent({ kind: "published", name: "lb1-2", isSecond: true }), {
    kind: "node-keys-published",
    as: "lb1-2",
    isSecond: true,
  });
  assertEquals(nodeKeysEvent({ kind: "failing", reason: "denied", refused: true }), {
    kind: "node-keys-failing",
    reason: "denied",
    refused: true,
  });
});

const STARTING: HaproxyState = { kind: "starting" };
const WAITING: HaproxyState = { kind: "starting", reason: "no answer" };
const UP: HaproxyState = { kind: "up", pid: 17, adopted: false };
const DOWN: HaproxyState = { kind: "down", reason: "exit code 1", retryInMs: 100 };

const haproxy: Record<
  string,
  [before: HaproxyState, now: HaproxyState, attached: boolean, told?: NodeEvent]
> = {
  "nothing while it starts": [DOWN, STARTING, false],
  "that it is waited for": [STARTING, WAITING, false, { kind: "haproxy-waited-for", reason: "no answer" }],
  "once that it is waited for": [WAITING, { ...WAITING, reason: "still none" }, false],
  "that it is waited for again": [UP, WAITING, true, { kind: "haproxy-waited-for", reason: "no answer" }],
  "that it was started": [STARTING, UP, false, { kind: "haproxy-up", pid: 17, how: "started" }],
  "that it was adopted": [STARTING, { ...UP, adopted: true }, false, {
    kind: "haproxy-up",
    pid: 17,
    how: "adopted",
  }],
  "that the node is attached to it": [STARTING, { ...UP, adopted: true }, true, {
    kind: "haproxy-up",
    pid: 17,
    how: "attached",
  }],
  "that it ended": [UP, DOWN, false, {
    kind: "haproxy-down",
    reason: "exit code 1",
    retryInMs: 100,
    attached: false,
  }],
  "that it ended again": [DOWN, DOWN, true, {
    kind: "haproxy-down",
    reason: "exit code 1",
    retryInMs: 100,
    attached: true,
  }],
  "that it was stopped": [UP, { kind: "stopped" }, false, { kind: "haproxy-stopped", attached: false }],
};

for (const [what, [before, now, attached, told]] of Object.entries(haproxy)) {
  Deno.test(`haproxyEvent() tells ${what}`, () =>
    assertEquals(haproxyEvent(before, now, { attached }), told));
}

const ANSWERS: SocketState = { kind: "answers" };
const LOST: SocketState = { kind: "lost", reason: "no such file" };
const STUCK: SocketState = { kind: "stuck", reason: "no answer" };

const sockets: Record<string, [before: SocketState, now: SocketState, told: NodeEvent[]]> = {
  "nothing of one that answers on": [ANSWERS, ANSWERS, []],
  "that it is lost": [ANSWERS, LOST, [{ kind: "socket-lost", process: "worker", reason: "no such file" }]],
  "that it is stuck": [ANSWERS, STUCK, [{ kind: "socket-stuck", process: "worker", reason: "no answer" }]],
  "that one which was lost is stuck now": [LOST, STUCK, [
    { kind: "socket-stuck", process: "worker", reason: "no answer" },
  ]],
  "nothing of another reason alone": [LOST, { ...LOST, reason: "not ours" }, []],
  "that it answers again": [STUCK, ANSWERS, [{ kind: "socket-answers", process: "worker" }]],
};

for (const [what, [before, now, told]] of Object.entries(sockets)) {
  Deno.test(`socketEvents() tells ${what}`, () => {
    assertEquals(
      socketEvents({ worker: before, master: ANSWERS }, { worker: now, master: ANSWERS }),
      told,
    );
  });
}

Deno.test("socketEvents() tells of both processes", () => {
  assertEquals(socketEvents({ worker: ANSWERS, master: STUCK }, { worker: LOST, master: ANSWERS }), [
    { kind: "socket-lost", process: "worker", reason: "no such file" },
    { kind: "socket-answers", process: "master" },
  ]);
});

const LOST_DIR: StateDirSeen = { kind: "lost", reason: "read only" };

const stateDir: Record<string, [lost: string | undefined, seen: StateDirSeen, told?: NodeEvent]> = {
  "nothing while it is there": [undefined, { kind: "there" }],
  "what was made again": [undefined, { kind: "made-again", missing: ["/a"] }, {
    kind: "state-dir-made-again",
    missing: ["/a"],
  }],
  "what was made again after it was lost": ["read only", { kind: "made-again", missing: ["/a"] }, {
    kind: "state-dir-made-again",
    missing: ["/a"],
  }],
  "that it is lost": [undefined, LOST_DIR, { kind: "state-dir-lost", reason: "read only" }],
  "once that it is lost": ["read only", LOST_DIR],
  "another reason for which it is lost": ["disk full", LOST_DIR, {
    kind: "state-dir-lost",
    reason: "read only",
  }],
  "that it is there again": ["read only", { kind: "there" }, { kind: "state-dir-there" }],
};

for (const [what, [lost, seen, told]] of Object.entries(stateDir)) {
  Deno.test(`stateDirEvent() tells ${what}`, () => assertEquals(stateDirEvent(lost, seen), told));
}

const ETCD: Problem = { kind: "etcd-lost", reason: "no answer" };
const STUCK_MASTER: Problem = { kind: "master-stuck", reason: "not adopted" };
const PASS: Problem = { kind: "pass-failed", reason: "a" };
const began = ({ kind, reason }: Problem): NodeEvent => ({ kind: "problem-began", problem: kind, reason });
const ended = ({ kind, reason }: Problem): NodeEvent => ({ kind: "problem-ended", problem: kind, reason });

const problems: Record<string, [before: Problem[], now: Problem[], told: NodeEvent[]]> = {
  "nothing while nothing is wrong": [[], [], []],
  "one that begins": [[ETCD], [ETCD, PASS], [began(PASS)]],
  "nothing of one that goes on": [[ETCD, PASS], [PASS, ETCD], []],
  "nothing of one whose reason alone changes": [[ETCD], [{ ...ETCD, reason: "cut off" }], []],
  "one that ends, with its last reason": [[ETCD, PASS], [PASS], [ended(ETCD)]],
  "one that begins when another ends": [[ETCD], [PASS], [began(PASS), ended(ETCD)]],
  "once that two looks find the same": [
    [],
    [STUCK_MASTER, { ...STUCK_MASTER, reason: "no answer" }],
    [began(STUCK_MASTER)],
  ],
  "nothing while one of two looks finds it": [
    [STUCK_MASTER, { ...STUCK_MASTER, reason: "no answer" }],
    [{ ...STUCK_MASTER, reason: "no answer" }],
    [],
  ],
  "once that both looks find it no more": [
    [STUCK_MASTER, { ...STUCK_MASTER, reason: "no answer" }],
    [],
    [ended(STUCK_MASTER)],
  ],
};

for (const [what, [before, now, told]] of Object.entries(problems)) {
  Deno.test(`problemEvents() tells ${what}`, () => assertEquals(problemEvents(before, now), told));
}
