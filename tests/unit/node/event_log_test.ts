import { assertEquals } from "@std/assert";
import { logEvents } from "../../../lib/node/event_log.ts";
import type { NodeEvent } from "../../../lib/node/events.ts";
import type { PassSummary } from "../../../lib/reconcile/events.ts";
import { capturedLog, type LogLine } from "../captured_log.ts";

const SUMMARY: PassSummary = {
  ...{
    revision: 9,
    plan: "runtime",
    tookMs: 4,
    services: 1,
    servers: 2,
    pendingRemovals: 0,
    driftRepairs: 0,
  },
  ...{ steps: ["add server web/a"], moreSteps: 0 },
};
/** The fields of a line about a pass; what is zero is left out. */
const FIELDS = {
  ...{ revision: 9, plan: "runtime", took: 4, services: 1, servers: 2 },
  ...{ pendingRemovals: undefined, driftRepairs: undefined, steps: ["add server web/a"] },
};
const SERVER = { service: "web", server: "a" };
const FAILED = { kind: "not-applied", outcome: "failed", reason: "no answer", ...SUMMARY } as const;

const line = (level: LogLine["level"], message: string, fields: Record<string, unknown> = {}): LogLine => ({
  level,
  message,
  fields,
});

/** What each event is logged as; nothing: other lines tell it. */
const cases: [what: string, event: NodeEvent, lines: LogLine[]][] = [
  ["a pass that changed something", { kind: "applied", goesOn: false, ...SUMMARY }, [
    line("info", "applied", FIELDS),
  ]],
  [
    "a pass with more steps than it shows, and with removals and repairs",
    { kind: "applied", goesOn: false, ...SUMMARY, pendingRemovals: 3, driftRepairs: 2, moreSteps: 40 },
    [line("info", "applied", {
      ...FIELDS,
      pendingRemovals: 3,
      driftRepairs: 2,
      steps: ["add server web/a", "and 40 more"],
    })],
  ],
  ["a removal that goes on, for those who debug", { kind: "applied", goesOn: true, ...SUMMARY }, [
    line("debug", "removal continues", FIELDS),
  ]],
  [
    "a plan that is put off, for those who debug",
    { kind: "plan-put-off", reason: "too recent", ...SUMMARY },
    [
      line("debug", "plan put off", { ...FIELDS, reason: "too recent" }),
    ],
  ],
  ["a pass that starts over", { ...FAILED, startsOver: true }, [
    line("warning", "pass started over", { outcome: "failed", reason: "no answer" }),
  ]],
  ["a pass that did not reach what it wanted", { ...FAILED, startsOver: false }, [
    line("error", "not applied, keeping the last good config", {
      ...FIELDS,
      outcome: "failed",
      reason: "no answer",
    }),
  ]],
  ["a pass that could not be made", { kind: "pass-failed", reason: "no answer", retryInMs: 5 }, [
    line("error", "pass failed, haproxy keeps serving", { reason: "no answer", retryInMs: 5 }),
  ]],
  ["a refused base", { kind: "base-refused", reason: "bad", attempts: 2, pendingBackends: ["shop"] }, [
    line("error", "base refused, keeping the last good one", {
      reason: "bad",
      attempts: 2,
      waiting: ["shop"],
    }),
  ]],
  ["a base that is accepted again", { kind: "base-accepted" }, [line("info", "base accepted")]],
  ["a last good copy that is not kept", { kind: "last-good-not-kept", reason: "disk full" }, [
    line("error", "cannot keep the last good config, retrying", { reason: "disk full" }),
  ]],
  ["a last good copy that is kept again", { kind: "last-good-kept" }, [
    line("info", "last good config is kept again"),
  ]],
  ["a rejected entry", {
    ...{ kind: "rejected", service: "web", key: "/services/web/a", reason: "no port", revision: 7 },
  }, [line("warning", "entry rejected", { key: "/services/web/a", reason: "no port", revision: 7 })]],
  ["a held server", { kind: "held", ...SERVER, goesInMs: 5 }, [
    line("warning", "holding servers: too many of this service vanished without draining", {
      servers: ["web/a"],
      held: 1,
    }),
  ]],
  ["a held server that is let go", { kind: "released", ...SERVER, reason: "--guard-time is over" }, [
    line("info", "servers no longer held", { servers: ["web/a"], reason: "--guard-time is over" }),
  ]],
  ["a problem that begins, for those who debug", {
    ...{ kind: "problem-began", problem: "etcd-lost", reason: "no answer" },
  }, [line("debug", "problem began", { problem: "etcd-lost", reason: "no answer" })]],
  ["a problem that ends, for those who debug", {
    ...{ kind: "problem-ended", problem: "etcd-lost", reason: "no answer" },
  }, [line("debug", "problem ended", { problem: "etcd-lost", reason: "no answer" })]],
  ["that the node stops", { kind: "stopping", stopDelayMs: 5 }, [
    line("info", "stopping", { stopDelayMs: 5 }),
  ]],

  ["no step: its pass tells it", { kind: "step", ...SERVER, action: "add", reason: "entry" }, []],
  [
    "no reload: its pass tells it",
    { kind: "reload", cause: "base-changed", reason: "another base", result: "loaded" },
    [],
  ],
  ["no rejection that is gone", {
    ...{ kind: "rejection-gone", service: "web", key: "/services/web/a", reason: "no port", revision: 7 },
  }, []],
  [
    "no server that went down: HAProxy's own line tells it",
    { kind: "server-down", ...SERVER, reason: "x" },
    [],
  ],
  ["no server that went up: HAProxy's own line tells it", { kind: "server-up", ...SERVER, reason: "x" }, []],

  ["that etcd is waited for", { kind: "etcd-connecting", reason: "no answer", attempt: 2 }, [
    line("warning", "waiting for etcd", { reason: "no answer", attempt: 2 }),
  ]],
  ["a watch that ended", { kind: "etcd-watch-ended", reason: "cut off", readAgain: true }, [
    line("warning", "watch ended", { reason: "cut off", readAgain: true }),
  ]],
  ["reads that etcd refuses", { kind: "etcd-reads-refused", reason: "denied" }, [
    line("warning", "etcd refuses reads, the watch still works", { reason: "denied" }),
  ]],
  ["reads that etcd answers again", { kind: "etcd-reads-answered" }, [
    line("info", "etcd answers reads again"),
  ]],
  ["a mirror that is wrong", { kind: "mirror-wrong", reason: "a key differs" }, [
    line("error", "mirror differs from etcd, reading everything again", { reason: "a key differs" }),
  ]],
  ["a mirror that could not be compared", { kind: "mirror-check-failed", reason: "no answer" }, [
    line("warning", "cannot compare the mirror with etcd", { reason: "no answer" }),
  ]],
  ["that the registry was read", { kind: "registry-read", revision: 9, entries: 3, why: "start" }, [
    line("info", "registry read", { revision: 9, entries: 3, why: "start" }),
  ]],
  ["that etcd is watched", { kind: "etcd-watching", from: 10, member: "8e9e" }, [
    line("info", "watching etcd", { from: 10, member: "8e9e" }),
  ]],
  ["the keys of the node", { kind: "node-keys-published", as: "lb1", isSecond: false }, [
    line("info", "node keys published", { as: "lb1" }),
  ]],
  ["keys under another name", { kind: "node-keys-published", as: "lb1-2", isSecond: true }, [
    line("warning", "another node has this node's id, publishing under another name", { as: "lb1-2" }),
  ]],
  ["keys that cannot be written", { kind: "node-keys-failing", reason: "no answer", refused: false }, [
    line("warning", "cannot write node keys, retrying", { reason: "no answer" }),
  ]],
  ["keys that may not be written", { kind: "node-keys-failing", reason: "denied", refused: true }, [
    line("warning", "no permission to write node keys, clients cannot wait for this node", {
      reason: "denied",
    }),
  ]],
  ["a HAProxy that does not let itself be adopted", { kind: "haproxy-waited-for", reason: "no answer" }, [
    line("error", "haproxy does not answer, waiting for it", { reason: "no answer" }),
  ]],
  ["a HAProxy that was started", { kind: "haproxy-up", pid: 17, how: "started" }, [
    line("info", "haproxy started", { pid: 17 }),
  ]],
  ["a HAProxy that was adopted", { kind: "haproxy-up", pid: 17, how: "adopted" }, [
    line("info", "haproxy adopted", { pid: 17 }),
  ]],
  ["a HAProxy that ended", { kind: "haproxy-down", reason: "exit code 1", retryInMs: 5, attached: false }, [
    line("error", "haproxy ended, restarting it", { reason: "exit code 1", retryInMs: 5 }),
  ]],
  ["another's HAProxy that ended", {
    kind: "haproxy-down",
    reason: "no socket",
    retryInMs: 5,
    attached: true,
  }, [
    line("error", "haproxy does not run, waiting for it", { reason: "no socket", retryInMs: 5 }),
  ]],
  ["a HAProxy that was stopped", { kind: "haproxy-stopped", attached: false }, [
    line("info", "haproxy stopped"),
  ]],
  ["another's HAProxy that is left", { kind: "haproxy-stopped", attached: true }, [
    line("info", "haproxy left running"),
  ]],
  ["a socket that answers again", { kind: "socket-answers", process: "worker" }, [
    line("info", "haproxy answers again", { process: "worker" }),
  ]],
  ["a socket that is stuck", { kind: "socket-stuck", process: "master", reason: "no answer" }, [
    line("error", "haproxy does not answer", { process: "master", reason: "no answer" }),
  ]],
  ["a socket that is lost", { kind: "socket-lost", process: "worker", reason: "no such file" }, [
    line("error", "haproxy socket missing, recreating it", { process: "worker", reason: "no such file" }),
  ]],
  ["a state directory that is lost", { kind: "state-dir-lost", reason: "read only" }, [
    line("error", "state directory was removed and cannot be recreated, retrying", { reason: "read only" }),
  ]],
  ["a state directory that was made again", { kind: "state-dir-made-again", missing: ["/a"] }, [
    line("error", "state directory was removed, recreated it", { missing: ["/a"] }),
  ]],
  ["a state directory that is there again", { kind: "state-dir-there" }, [
    line("info", "state directory exists again"),
  ]],
];

for (const [what, event, lines] of cases) {
  Deno.test(`logEvents() logs ${what}`, async () => {
    assertEquals(await capturedLog(() => logEvents([event])), lines);
  });
}

function rejections(count: number): NodeEvent[] {
  return Array.from({ length: count }, (_, id) => ({
    ...{ kind: "rejected", service: "web", key: `/services/web/${id}`, reason: "no port", revision: id },
  }));
}

for (const [count, singles, more] of [[100, 100, 0], [101, 100, 1], [5_000, 100, 4_900]] as const) {
  Deno.test(`logEvents() logs ${singles} of ${count} rejections of one pass, and how many more`, async () => {
    const lines = await capturedLog(() => logEvents(rejections(count)));
    assertEquals(lines.filter(({ message }) => message === "entry rejected").length, singles);
    const rest = more === 0
      ? []
      : [line("warning", "more entries rejected, see /api/state", { count: more })];
    assertEquals(lines.slice(singles), rest);
  });
}

Deno.test("logEvents() logs the rejections of each pass, however many the last one had", async () => {
  const lines = await capturedLog(() => {
    logEvents(rejections(150));
    logEvents(rejections(1));
  });
  assertEquals(lines.length, 102);
});

Deno.test("logEvents() logs all held servers on one line, 20 of them by name", async () => {
  const held = Array.from({ length: 22 }, (_, id): NodeEvent => ({
    ...{ kind: "held", service: "web", server: `s${id}`, goesInMs: 5 },
  }));
  const [only, ...others] = await capturedLog(() => logEvents(held));
  assertEquals(others, []);
  assertEquals(only?.fields.held, 22);
  assertEquals(only?.fields.servers, [...Array.from({ length: 20 }, (_, id) => `web/s${id}`), "and 2 more"]);
});

Deno.test("logEvents() logs servers that are let go on a line for each reason", async () => {
  const released = (server: string, reason: string): NodeEvent => ({
    ...{ kind: "released", service: "web", server, reason },
  });
  const lines = await capturedLog(() =>
    logEvents([
      released("a", "--guard-time is over"),
      released("b", "drained"),
      released("c", "--guard-time is over"),
    ])
  );
  assertEquals(lines.map(({ fields }) => fields), [
    { servers: ["web/a", "web/c"], reason: "--guard-time is over" },
    { servers: ["web/b"], reason: "drained" },
  ]);
});

Deno.test("logEvents() logs rejections and held servers before the pass that they are of", async () => {
  const lines = await capturedLog(() =>
    logEvents([
      { kind: "applied", goesOn: false, ...SUMMARY },
      { kind: "held", ...SERVER, goesInMs: 5 },
      ...rejections(1),
    ])
  );
  assertEquals(lines.map(({ message }) => message.split(":")[0]), [
    "entry rejected",
    "holding servers",
    "applied",
  ]);
});
