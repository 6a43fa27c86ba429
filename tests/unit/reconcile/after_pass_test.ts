import { assert, assertEquals } from "@std/assert";
import type { Outcome } from "../../../lib/reconcile/apply.ts";
import { baseDigest, joinConfig, splitConfig } from "../../../lib/config/text.ts";
import { type Experience, learn } from "../../../lib/reconcile/after_pass.ts";
import { INITIAL_STATE, type NodeState } from "../../../lib/reconcile/state.ts";
import type { Plan } from "../../../lib/plan/plan.ts";
import type { Alert } from "../../../lib/reconcile/ports.ts";
import { EMPTY_HAPROXY, modelOf, reached } from "../fixtures.ts";

const CONFIG = splitConfig("backend b\n    server a 10.0.0.5:80 id 7\n    server z 10.0.0.6:80 id 8\n");
const MODEL = modelOf({ "b/a": "10.0.0.5:80", "b/z": "10.0.0.6:80" });
const RUNTIME: Plan = { kind: "runtime", steps: [] };
const RELOAD: Plan = { kind: "reload", reason: "x", steps: [] };
const CLOCK = { now: 10_000, random: 0 };
const AT_ONCE = { kind: "at-once" } as const;
const WHEN_CHANGED = { kind: "when-changed" } as const;

/** A pass that was made on the rendered base, with this outcome. */
function pass(outcome: Outcome | undefined, changes: Partial<Experience> = {}): Experience {
  return {
    model: MODEL,
    desired: { config: CONFIG, base: "rendered", waiting: [] },
    observed: EMPTY_HAPROXY,
    plan: RUNTIME,
    pace: { kind: "now" },
    outcome,
    workerPid: 17,
    reloadAt: undefined,
    ...changes,
  };
}

const memoryOf = (changes: Partial<NodeState>): NodeState => ({ ...INITIAL_STATE, ...changes });
const GOOD = memoryOf({ goodBase: CONFIG.base });

Deno.test("learn() remembers what was reached, so that the next pass need not ask for it", () => {
  const { memory, again } = learn(memoryOf({ failures: 3 }), pass(reached()), CLOCK);
  assertEquals(again, WHEN_CHANGED);
  assertEquals(memory, {
    ...INITIAL_STATE,
    goodBase: CONFIG.base,
    known: { workerPid: 17, observed: EMPTY_HAPROXY },
    reachedText: joinConfig(CONFIG),
  });
});

Deno.test("learn() does not know what the worker runs that a reload started", () => {
  const { memory, again } = learn(GOOD, pass(reached(), { plan: RELOAD }), CLOCK);
  assertEquals([memory.known, memory.reloads.lastEndedAt, again], [undefined, 10_000, WHEN_CHANGED]);
});

Deno.test("learn() knows nothing while HAProxy does not run", () => {
  const down = { kind: "down", reason: "exit code 1" } as const;
  const known = { workerPid: 17, observed: EMPTY_HAPROXY };
  const { memory, again } = learn(memoryOf({ known }), pass(reached({ observed: down })), CLOCK);
  assertEquals([memory.known, memory.goodBase, again], [undefined, undefined, WHEN_CHANGED]);
});

Deno.test("learn() asks again for removed servers that hold requests, ever later up to two seconds", () => {
  let memory = GOOD;
  const times: unknown[] = [];
  for (let n = 0; n < 7; n++) {
    const lesson = learn(memory, pass(reached({ pending: 1 })), CLOCK);
    memory = lesson.memory;
    times.push(lesson.again.kind === "at" ? lesson.again.at - CLOCK.now : lesson.again);
  }
  assertEquals(times, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
  const done = learn(memory, pass(reached()), CLOCK);
  assertEquals([done.again, done.memory.pendingPasses], [WHEN_CHANGED, 0]);
});

Deno.test("learn() lets a plan that had no effect at run time go by a reload, at once and once", () => {
  const known = { workerPid: 17, observed: EMPTY_HAPROXY };
  const incomplete: Outcome = { kind: "incomplete", reason: "x" };
  const { memory, again } = learn({ ...GOOD, known }, pass(incomplete), CLOCK);
  assertEquals([again, memory.reloadNext, memory.known], [AT_ONCE, true, undefined]);
  const after = learn(memory, pass(reached(), { plan: RELOAD }), CLOCK);
  assertEquals(after.memory.reloadNext, false);
});

Deno.test("learn() waits for the time of a plan that was put off, and remembers that a reload crowds", () => {
  const later = { kind: "later", at: 11_000, reason: "x", crowded: true } as const;
  const { memory, again } = learn(GOOD, pass(undefined, { plan: RELOAD, pace: later }), CLOCK);
  assertEquals([again, memory.reloadCrowds], [{ kind: "at", at: 11_000 }, true]);
  assertEquals(memory.reloads, INITIAL_STATE.reloads);
});

Deno.test("learn() waits for the registry to be quiet when a plan has no time", () => {
  const later = { kind: "later", at: undefined, reason: "x", crowded: false } as const;
  assertEquals(learn(GOOD, pass(undefined, { pace: later }), CLOCK), { memory: GOOD, again: WHEN_CHANGED });
});

Deno.test("learn() comes back for the reload that a pass on the last good base left waiting", () => {
  const { again } = learn(GOOD, pass(reached(), { reloadAt: 12_000 }), CLOCK);
  assertEquals(again, { kind: "at", at: 12_000 });
  const sooner = learn(GOOD, pass(reached({ pending: 1 }), { reloadAt: 12_000 }), CLOCK);
  assertEquals(sooner.again, { kind: "at", at: 10_100 });
});

const alert = (message: string, place: Partial<Alert> = {}): Alert => ({
  message,
  line: undefined,
  server: undefined,
  ...place,
});
const refusedBy = (...alerts: Alert[]): Outcome => ({ kind: "refused", alerts });
const lineOf = (server: string) =>
  joinConfig(CONFIG).split("\n").findIndex((line) => line.includes(`server ${server} `)) + 1;

Deno.test("learn() leaves out the entries whose servers HAProxy names, by line or by name, and goes on at once", () => {
  const alerts = [
    alert("bad a", { line: lineOf("a") }),
    alert("bad z", { server: { backend: "b", server: "z" } }),
    alert("something of no server"),
  ];
  const { memory, again } = learn(GOOD, pass(refusedBy(...alerts)), CLOCK);
  assertEquals(again, AT_ONCE);
  assertEquals(
    memory.refusals,
    new Map([
      ["b/a", { revision: 1n, reason: "HAProxy refuses it: bad a" }],
      ["b/z", { revision: 1n, reason: "HAProxy refuses it: bad z" }],
    ]),
  );
  assertEquals(memory.refusedBase, undefined);
});

Deno.test("learn() goes back to the good base at once when a new one is refused", () => {
  const { memory, again } = learn(
    memoryOf({ goodBase: "old\n" }),
    pass(refusedBy(alert("no"), alert("never"))),
    CLOCK,
  );
  assertEquals(again, AT_ONCE);
  assertEquals(memory.refusedBase, {
    digest: baseDigest(CONFIG.base),
    reason: "no; never",
    attempts: 1,
    retryAt: 10_500,
  });
  assertEquals(memory.reloads, INITIAL_STATE.reloads);
});

Deno.test("learn() tries a refused base again later when there is no good one", () => {
  const first = learn(INITIAL_STATE, pass(refusedBy(alert("no"))), CLOCK);
  assertEquals(first.again, { kind: "at", at: 10_500 });
  const second = learn(first.memory, pass(refusedBy(alert("no"))), CLOCK);
  assertEquals(second.again, { kind: "at", at: 11_000 });
});

Deno.test("learn() takes the server of a template, which no entry stands for, for a fault of the base", () => {
  const alerts = [alert("bad", { server: { backend: "b", server: "fixed" } })];
  const { memory } = learn(memoryOf({ goodBase: "old\n" }), pass(refusedBy(...alerts)), CLOCK);
  assertEquals([memory.refusals.size, memory.refusedBase?.reason], [0, "bad"]);
});

Deno.test("learn() tries later when a text is refused for which neither an entry nor its base can be blamed", () => {
  const { memory, again } = learn(GOOD, pass(refusedBy(alert("no"))), CLOCK);
  assertEquals([again, memory.failures, memory.refusedBase], [{ kind: "at", at: 10_500 }, 1, undefined]);
});

Deno.test("learn() counts a reload that failed, and goes back to the good base at once", () => {
  const failed: Outcome = { kind: "reload-failed", reason: "Cannot bind :80" };
  const { memory, again } = learn(memoryOf({ goodBase: "old\n" }), pass(failed, { plan: RELOAD }), CLOCK);
  assertEquals([again, memory.refusedBase?.reason], [AT_ONCE, "Cannot bind :80"]);
  assertEquals(memory.reloads.lastEndedAt, 10_000);
});

Deno.test("learn() counts no reload that was vetoed, and goes back to the good base at once", () => {
  const vetoed: Outcome = { kind: "vetoed", reason: "Cannot bind :80" };
  const { memory, again } = learn(memoryOf({ goodBase: "old\n" }), pass(vetoed, { plan: RELOAD }), CLOCK);
  assertEquals([again, memory.refusedBase?.reason], [AT_ONCE, "Cannot bind :80"]);
  assertEquals(memory.reloads.lastEndedAt, undefined);
});

for (const [retryAt, at] of [[12_000, 12_000], [25_000, 13_000]] as const) {
  Deno.test(`learn() looks at ${at} after a template whose base is tried again at ${retryAt}`, () => {
    const refusedBase = { digest: "x", reason: "no", attempts: 3, retryAt };
    const desired = { config: CONFIG, base: "last-good", waiting: [] } as const;
    const { memory, again } = learn(memoryOf({ refusedBase }), pass(reached(), { desired }), CLOCK);
    assertEquals([memory.refusedBase, again], [refusedBase, { kind: "at", at }]);
  });
}

Deno.test("learn() comes back for a last good copy that could not be kept", () => {
  const { again } = learn(
    GOOD,
    pass({ kind: "reached", observed: EMPTY_HAPROXY, pending: 0, lastGoodError: "no space left" }),
    CLOCK,
  );
  assertEquals(again, { kind: "at", at: 13_000 });
});

for (const kind of ["failed", "reload-failed"] as const) {
  Deno.test(`learn() tries later after ${kind}, on the base that is good, ever later`, () => {
    const outcome: Outcome = { kind, reason: "x" };
    const known = { workerPid: 17, observed: EMPTY_HAPROXY };
    const first = learn({ ...GOOD, known }, pass(outcome, { plan: RELOAD }), CLOCK);
    const second = learn(first.memory, pass(outcome, { plan: RELOAD }), CLOCK);
    assertEquals([first.again, second.again], [{ kind: "at", at: 10_500 }, { kind: "at", at: 11_000 }]);
    assertEquals([first.memory.known, second.memory.failures], [undefined, 2]);
    assert(second.memory.goodBase === CONFIG.base);
  });
}
