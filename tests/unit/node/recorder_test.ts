import { assertEquals } from "@std/assert";
import type { NodeEvent } from "../../../lib/node/events.ts";
import { createRecorder } from "../../../lib/node/recorder.ts";
import type { Observed } from "../../../lib/plan/observed.ts";
import type { Step } from "../../../lib/plan/step.ts";
import type { SocketHealth } from "../../../lib/reconcile/ports.ts";
import { EMPTY_MODEL } from "../../../lib/registry/model.ts";
import { modelOf, observed, type PassChanges, passOf, reached } from "../fixtures.ts";

const MODEL = modelOf({ "backend/a": "10.0.0.5:80" });
const WALL_MS = 1_700_000_000_000;

/** A recorder, and what it tells the journal. */
function recording({ attached = false } = {}) {
  const told: NodeEvent[] = [];
  /** What was told at once. */
  const batches: NodeEvent[][] = [];
  const recorder = createRecorder({ node: "lb1", version: "0.1.0", haproxyVersion: "2.6.12" }, {
    onEvents: (events) => {
      told.push(...events);
      batches.push([...events]);
    },
    attached,
    admissionsWaiting: () => 0,
    now: () => WALL_MS,
  });
  return { recorder, told, batches, kinds: () => told.map(({ kind }) => kind) };
}

/** A HAProxy that runs one server, up or down. */
function running(up: boolean): Observed {
  return {
    kind: "up",
    base: undefined,
    servers: new Map([["backend", new Map([["a", observed("a", { up })]])]]),
  };
}

const seeing = (up: boolean, changes: PassChanges = {}) =>
  passOf(MODEL, { outcome: reached({ observed: running(up) }), ...changes });
const failing = (applyError: string) => passOf(EMPTY_MODEL, { state: { applyError } });

const DOWN_LINE =
  `[WARNING]  (7) : Server backend/a is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.`;
const UP_LINE =
  "[WARNING]  (7) : Server backend/a is UP, reason: Layer4 check passed, check duration: 0ms. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.";
const DOWN_SAID: NodeEvent = {
  ...{ kind: "server-down", service: "backend", server: "a" },
  reason: "Layer4 connection problem, Connection refused",
};
const UP_SAID: NodeEvent = {
  ...{ kind: "server-up", service: "backend", server: "a", reason: "Layer4 check passed" },
};
const seen = (kind: "server-up" | "server-down"): NodeEvent => ({
  ...{ kind, service: "backend", server: "a", reason: "as HAProxy shows it" },
});

Deno.test("createRecorder(): a problem begins once and ends once", () => {
  const { recorder, told } = recording();
  for (const reason of ["no answer", "no answer", "refused"]) {
    recorder.onPassError({ message: reason, retryInMs: 5 });
  }
  recorder.onPass(passOf(EMPTY_MODEL));
  recorder.onPass(passOf(EMPTY_MODEL));
  assertEquals(told.filter(({ kind }) => kind.startsWith("problem")), [
    { kind: "problem-began", problem: "pass-failed", reason: "no answer" },
    { kind: "problem-ended", problem: "pass-failed", reason: "refused" },
  ]);
});

Deno.test("createRecorder(): a problem whose reason alone changes goes on", () => {
  const { recorder, told } = recording();
  for (const reason of ["a", "b"]) recorder.onPass(failing(reason));
  assertEquals(told, [{ kind: "problem-began", problem: "not-applied", reason: "a" }]);
  recorder.onPass(passOf(EMPTY_MODEL));
  assertEquals(told.slice(1), [{ kind: "problem-ended", problem: "not-applied", reason: "b" }]);
});

Deno.test("createRecorder(): one problem ends while another goes on", () => {
  const { recorder, told } = recording();
  recorder.onEtcdEvent({ kind: "connecting", reason: "no answer", attempt: 1 });
  recorder.onPassError({ message: "no socket", retryInMs: 5 });
  recorder.onEtcdEvent({ kind: "watching", from: 10n, member: "8e9e" });
  assertEquals(told, [
    { kind: "etcd-connecting", reason: "no answer", attempt: 1 },
    { kind: "problem-began", problem: "etcd-lost", reason: "no answer" },
    { kind: "pass-failed", reason: "no socket", retryInMs: 5 },
    { kind: "problem-began", problem: "pass-failed", reason: "no socket" },
    { kind: "etcd-watching", from: 10, member: "8e9e" },
    { kind: "problem-ended", problem: "etcd-lost", reason: "no answer" },
  ]);
});

Deno.test("createRecorder() tells what happened in a pass at once, compared with the pass before", () => {
  const { recorder, batches } = recording();
  const rejecting = {
    ...EMPTY_MODEL,
    rejections: [{ key: "/services/backend/a", reason: "no port", revision: 7n }],
  };
  const step: Step = {
    ...{ kind: "weight", backend: "backend", server: "b", weight: 3, reason: "it has weight 1" },
  };
  const plan = { kind: "runtime", steps: [step] } as const;
  recorder.onPass(passOf(rejecting));
  recorder.onPass(passOf(rejecting, { plan, outcome: reached() }));
  recorder.onPass(passOf(EMPTY_MODEL));
  assertEquals(batches.map((events) => events.map(({ kind }) => kind)), [
    ["rejected"],
    ["step", "applied"],
    ["rejection-gone"],
  ]);
});

Deno.test("createRecorder() tells the journal nothing when nothing happened", () => {
  const { recorder, batches } = recording();
  recorder.onPassStart(0);
  recorder.onPass(seeing(true));
  recorder.onPass(seeing(true));
  recorder.onSeen(running(true));
  recorder.onHaproxyLine("[WARNING]  (7) : Proxy backend stopped");
  assertEquals(batches, []);
});

/** In which order a server's fall is heard of, and what is told. */
const health: Record<
  string,
  [hear: (recorder: ReturnType<typeof recording>["recorder"]) => void, NodeEvent[]]
> = {
  "by HAProxy's line first, not by the later look again": [
    (recorder) => {
      recorder.onHaproxyLine(DOWN_LINE);
      recorder.onSeen(running(false));
      recorder.onPass(seeing(false));
    },
    [DOWN_SAID],
  ],
  "by a look first, not by HAProxy's line again": [
    (recorder) => {
      recorder.onSeen(running(false));
      recorder.onHaproxyLine(DOWN_LINE);
      recorder.onPass(seeing(false));
    },
    [seen("server-down")],
  ],
  "by a pass, if nothing else told": [(recorder) => recorder.onPass(seeing(false)), [seen("server-down")]],
  "each time, both ways": [
    (recorder) => {
      recorder.onHaproxyLine(DOWN_LINE);
      recorder.onSeen(running(false));
      recorder.onHaproxyLine(UP_LINE);
      recorder.onSeen(running(true));
      recorder.onSeen(running(false));
    },
    [DOWN_SAID, UP_SAID, seen("server-down")],
  ],
  "once, though the next pass does not look again": [
    (recorder) => {
      recorder.onHaproxyLine(DOWN_LINE);
      // What is known from the pass before, and then what is.
      recorder.onPass(seeing(true));
      recorder.onSeen(running(false));
    },
    [DOWN_SAID],
  ],
};

for (const [what, [hear, events]] of Object.entries(health)) {
  Deno.test(`createRecorder() tells of a server's health ${what}`, () => {
    const { recorder, told } = recording();
    recorder.onPass(seeing(true));
    hear(recorder);
    assertEquals(told, events);
  });
}

Deno.test("createRecorder() tells again that a server is down which was added again meanwhile", () => {
  const { recorder, kinds } = recording();
  const add: Step = {
    ...{ kind: "add", backend: "backend", server: "a", reason: "asked for at revision 9" },
    line: { name: "a", params: "10.0.0.6:80" },
  };
  recorder.onPass(seeing(true));
  recorder.onHaproxyLine(DOWN_LINE);
  recorder.onPass(passOf(EMPTY_MODEL));
  recorder.onPass(seeing(true, { plan: { kind: "runtime", steps: [add] } }));
  recorder.onHaproxyLine(DOWN_LINE);
  assertEquals(kinds(), ["server-down", "step", "applied", "server-down"]);
});

Deno.test("createRecorder() knows no health before the first pass: a look tells nothing", () => {
  const { recorder, told } = recording();
  recorder.onSeen(running(false));
  recorder.onPass(seeing(false));
  assertEquals(told, []);
});

Deno.test("createRecorder() tells what its HAProxy does, and whether it is another's", () => {
  for (const attached of [false, true]) {
    const { recorder, told } = recording({ attached });
    recorder.onHaproxyState({ kind: "up", pid: 7, adopted: false });
    recorder.onHaproxyState({ kind: "down", reason: "exit code 1", retryInMs: 5 });
    recorder.onHaproxyState({ kind: "stopped" });
    const how = attached ? "attached" : "started";
    assertEquals<NodeEvent[]>(told, [
      { kind: "haproxy-up", pid: 7, how },
      { kind: "haproxy-down", reason: "exit code 1", retryInMs: 5, attached },
      { kind: "problem-began", problem: "haproxy-down", reason: "exit code 1" },
      { kind: "haproxy-stopped", attached },
      { kind: "problem-ended", problem: "haproxy-down", reason: "exit code 1" },
    ]);
  }
});

Deno.test("createRecorder() tells once what is wrong with a socket or the state directory", () => {
  const { recorder, told } = recording();
  const lost: SocketHealth = { worker: { kind: "lost", reason: "gone" }, master: { kind: "answers" } };
  for (let look = 0; look < 2; look++) {
    recorder.onSockets(lost);
    recorder.onStateDir({ kind: "lost", reason: "read only" });
  }
  assertEquals(told, [
    { kind: "socket-lost", process: "worker", reason: "gone" },
    { kind: "problem-began", problem: "runtime-socket-lost", reason: "gone" },
    { kind: "state-dir-lost", reason: "read only" },
    { kind: "problem-began", problem: "state-dir-lost", reason: "read only" },
  ]);
  assertEquals([recorder.facts().sockets, recorder.facts().stateDirLost], [lost, "read only"]);
});

Deno.test("createRecorder() tells that the node stops, and what its keys are", () => {
  const { recorder, told } = recording();
  recorder.onNodeKeys({ kind: "published", name: "lb1-2", isSecond: true });
  recorder.onStopping(500);
  assertEquals(told, [
    { kind: "node-keys-published", as: "lb1-2", isSecond: true },
    {
      kind: "problem-began",
      problem: "node-id-taken",
      reason: "another node has the id lb1, so this one is lb1-2",
    },
    { kind: "stopping", stopDelayMs: 500 },
  ]);
  assertEquals(recorder.facts().stopping, true);
});

Deno.test("createRecorder(): the facts are those of the last pass, and of the last one that changed something", () => {
  const { recorder } = recording();
  const changing = seeing(true, { plan: { kind: "write", reason: "it differs" } });
  recorder.onPassStart(0);
  recorder.onPass(changing);
  const idle = seeing(true);
  recorder.onPass(idle);
  const { lastPass, lastChange, reachedOnce, passRunningMs } = recorder.facts();
  assertEquals(lastPass, idle);
  assertEquals(lastChange, { pass: changing, at: WALL_MS });
  assertEquals([reachedOnce, passRunningMs], [true, 0]);
});

Deno.test("createRecorder() knows what HAProxy was last seen to run, by a pass or after it", () => {
  const { recorder } = recording();
  const upOf = () => {
    const { observed } = recorder.facts();
    return observed.kind === "up" ? observed.servers.get("backend")?.get("a")?.up : observed.kind;
  };
  const seen = [upOf()];
  for (const up of [true, false]) {
    recorder.onPass(seeing(up));
    seen.push(upOf());
    recorder.onSeen(running(!up));
    seen.push(upOf());
  }
  assertEquals(seen, ["starting", true, false, false, true]);
});

Deno.test("createRecorder(): a change lags until a pass that knows it has reached HAProxy", () => {
  const { recorder } = recording();
  const isLagging = () => recorder.facts().lagMs > 0;
  const pass = (knownUntil: number, changes: PassChanges = {}) => {
    recorder.onPassStart(knownUntil);
    recorder.onPass(seeing(true, changes));
    return isLagging();
  };
  const before = performance.now();
  assertEquals(pass(before), false);
  recorder.onChange();
  assertEquals(pass(before), true);
  assertEquals(pass(performance.now(), { outcome: { kind: "failed", reason: "no answer" } }), true);
  assertEquals(pass(performance.now()), false);
});
