import { assert, assertEquals } from "@std/assert";
import type { Outcome } from "../../../lib/reconcile/apply.ts";
import { baseDigest, joinConfig, splitConfig } from "../../../lib/config/text.ts";
import { afterPass, type Next } from "../../../lib/reconcile/after_pass.ts";
import { INITIAL_STATE, type NodeState } from "../../../lib/reconcile/state.ts";
import type { Pass } from "../../../lib/reconcile/pass.ts";
import type { Plan } from "../../../lib/plan/plan.ts";
import type { Alert } from "../../../lib/reconcile/ports.ts";
import { EMPTY_HAPROXY, modelOf, type PassChanges, passOf, reached } from "../fixtures.ts";

const CONFIG = splitConfig("backend b\n    server a 10.0.0.5:80 id 7\n    server z 10.0.0.6:80 id 8\n");
const MODEL = modelOf({ "b/a": "10.0.0.5:80", "b/z": "10.0.0.6:80" });
const RUNTIME: Plan = { kind: "runtime", steps: [] };
const RELOAD: Plan = { kind: "reload", cause: "base-changed", reason: "x", steps: [] };
const CLOCK = { now: 10_000, random: 0, guardTimeMs: 0 };
const RENDERED = { config: CONFIG, base: "rendered", pendingBackends: [] } as const;
/** What passes here see when they begin. */
const KNOWN = { workerPid: 17, observed: EMPTY_HAPROXY };
const AT_ONCE = { kind: "at-once" } as const;
const WHEN_CHANGED = { kind: "when-changed" } as const;

/** A pass that was made on the rendered base, with this outcome. */
function pass(outcome: Outcome | undefined, changes: PassChanges = {}): Pass {
  return passOf(MODEL, { desired: RENDERED, plan: RUNTIME, ...changes, outcome });
}

/** What a pass leaves that began with this state. */
function next(before: NodeState, made: Pass): Next {
  const observed = { ...made.observed, baseText: before.goodBase };
  return afterPass({ ...made, observed }, before, CLOCK);
}

const stateOf = (changes: Partial<NodeState>): NodeState => ({ ...INITIAL_STATE, ...changes });
const GOOD = stateOf({ goodBase: CONFIG.base });

Deno.test("afterPass() remembers what was reached, so that the next pass need not ask for it", () => {
  const { state, requeue } = next(stateOf({ failures: 3 }), pass(reached()));
  assertEquals(requeue, WHEN_CHANGED);
  assertEquals(state, {
    ...INITIAL_STATE,
    goodBase: CONFIG.base,
    known: { workerPid: 17, observed: EMPTY_HAPROXY },
    reachedText: joinConfig(CONFIG),
    guard: { ...INITIAL_STATE.guard, inFile: MODEL.services },
  });
});

Deno.test("afterPass() does not know what the worker runs that a reload started", () => {
  const { state, requeue } = next(GOOD, pass(reached(), { plan: RELOAD }));
  assertEquals([state.known, state.reloads.lastEndedAt, requeue], [undefined, 10_000, WHEN_CHANGED]);
});

Deno.test("afterPass() knows nothing while HAProxy does not run", () => {
  const down = { kind: "down", reason: "exit code 1" } as const;
  const known = { workerPid: 17, observed: EMPTY_HAPROXY };
  const { state, requeue } = next(stateOf({ known }), pass(reached({ observed: down })));
  assertEquals([state.known, state.goodBase, requeue], [undefined, undefined, WHEN_CHANGED]);
});

Deno.test("afterPass() asks again for removed servers that hold requests, ever later up to two seconds", () => {
  let state = GOOD;
  const times: unknown[] = [];
  for (let n = 0; n < 7; n++) {
    const left = next(state, pass(reached({ pending: 1 })));
    state = left.state;
    times.push(left.requeue.kind === "at" ? left.requeue.at - CLOCK.now : left.requeue);
  }
  assertEquals(times, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
  const done = next(state, pass(reached()));
  assertEquals([done.requeue, done.state.pendingPasses], [WHEN_CHANGED, 0]);
});

Deno.test("afterPass() lets a plan that had no effect at run time go by a reload, at once and once", () => {
  const known = { workerPid: 17, observed: EMPTY_HAPROXY };
  const incomplete: Outcome = { kind: "incomplete", reason: "x" };
  const { state, requeue } = next({ ...GOOD, known }, pass(incomplete));
  assertEquals([requeue, state.reloadNext, state.known], [AT_ONCE, true, undefined]);
  const after = next(state, pass(reached(), { plan: RELOAD }));
  assertEquals(after.state.reloadNext, false);
});

Deno.test("afterPass() waits for the time of a plan that was put off, and remembers that a reload crowds", () => {
  const later = { kind: "later", at: 11_000, reason: "x", crowded: true } as const;
  const { state, requeue } = next(GOOD, pass(undefined, { plan: RELOAD, pace: later }));
  assertEquals([requeue, state.reloadCrowds], [{ kind: "at", at: 11_000 }, true]);
  assertEquals(state.reloads, INITIAL_STATE.reloads);
});

Deno.test("afterPass() waits for the registry to be quiet when a plan has no time", () => {
  const later = { kind: "later", at: undefined, reason: "x", crowded: false } as const;
  assertEquals(next(GOOD, pass(undefined, { pace: later })), {
    state: { ...GOOD, known: KNOWN },
    requeue: WHEN_CHANGED,
  });
});

Deno.test("afterPass() comes back for the reload that a pass on the last good base left waiting", () => {
  const { requeue } = next(GOOD, pass(reached(), { reloadAt: 12_000 }));
  assertEquals(requeue, { kind: "at", at: 12_000 });
  const sooner = next(GOOD, pass(reached({ pending: 1 }), { reloadAt: 12_000 }));
  assertEquals(sooner.requeue, { kind: "at", at: 10_100 });
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

Deno.test("afterPass() leaves out the entries whose servers HAProxy names, by line or by name, and goes on at once", () => {
  const alerts = [
    alert("bad a", { line: lineOf("a") }),
    alert("bad z", { server: { backend: "b", server: "z" } }),
    alert("something of no server"),
  ];
  const { state, requeue } = next(GOOD, pass(refusedBy(...alerts)));
  assertEquals(requeue, AT_ONCE);
  assertEquals(
    state.refusals,
    new Map([
      ["b/a", { revision: 1n, reason: "HAProxy refuses it: bad a" }],
      ["b/z", { revision: 1n, reason: "HAProxy refuses it: bad z" }],
    ]),
  );
  assertEquals(state.refusedBase, undefined);
});

Deno.test("afterPass() goes back to the good base at once when a new one is refused", () => {
  const { state, requeue } = next(
    stateOf({ goodBase: "old\n" }),
    pass(refusedBy(alert("no"), alert("never"))),
  );
  assertEquals(requeue, AT_ONCE);
  assertEquals(state.refusedBase, {
    digest: baseDigest(CONFIG.base),
    reason: "no; never",
    attempts: 1,
    retryAt: 10_500,
  });
  assertEquals(state.reloads, INITIAL_STATE.reloads);
});

Deno.test("afterPass() tries a refused base again later when there is no good one", () => {
  const first = next(INITIAL_STATE, pass(refusedBy(alert("no"))));
  assertEquals(first.requeue, { kind: "at", at: 10_500 });
  const second = next(first.state, pass(refusedBy(alert("no"))));
  assertEquals(second.requeue, { kind: "at", at: 11_000 });
});

Deno.test("afterPass() takes the server of a template, without an entry, as a fault of the base", () => {
  const alerts = [alert("bad", { server: { backend: "b", server: "fixed" } })];
  const { state } = next(stateOf({ goodBase: "old\n" }), pass(refusedBy(...alerts)));
  assertEquals([state.refusals.size, state.refusedBase?.reason], [0, "bad"]);
});

Deno.test("afterPass() tries later when a text is refused for which neither an entry nor its base can be blamed", () => {
  const { state, requeue } = next(GOOD, pass(refusedBy(alert("no"))));
  assertEquals([requeue, state.failures, state.refusedBase], [{ kind: "at", at: 10_500 }, 1, undefined]);
});

Deno.test("afterPass() counts a reload that failed, and goes back to the good base at once", () => {
  const failed: Outcome = { kind: "reload-failed", reason: "Cannot bind :80" };
  const { state, requeue } = next(stateOf({ goodBase: "old\n" }), pass(failed, { plan: RELOAD }));
  assertEquals([requeue, state.refusedBase?.reason], [AT_ONCE, "Cannot bind :80"]);
  assertEquals(state.reloads.lastEndedAt, 10_000);
});

Deno.test("afterPass() counts no reload that was vetoed, and goes back to the good base at once", () => {
  const vetoed: Outcome = { kind: "vetoed", reason: "Cannot bind :80" };
  const { state, requeue } = next(stateOf({ goodBase: "old\n" }), pass(vetoed, { plan: RELOAD }));
  assertEquals([requeue, state.refusedBase?.reason], [AT_ONCE, "Cannot bind :80"]);
  assertEquals(state.reloads.lastEndedAt, undefined);
});

for (const [retryAt, at] of [[12_000, 12_000], [25_000, 13_000]] as const) {
  Deno.test(`afterPass() looks at ${at} after a template whose base is tried again at ${retryAt}`, () => {
    const refusedBase = { digest: "x", reason: "no", attempts: 3, retryAt };
    const desired = { config: CONFIG, base: "last-good", pendingBackends: [] } as const;
    const { state, requeue } = next(stateOf({ refusedBase }), pass(reached(), { desired }));
    assertEquals([state.refusedBase, requeue], [refusedBase, { kind: "at", at }]);
  });
}

Deno.test("afterPass() comes back for a last good copy that could not be kept", () => {
  const { requeue } = next(
    GOOD,
    pass({ kind: "reached", observed: EMPTY_HAPROXY, pending: 0, lastGoodError: "no space left" }),
  );
  assertEquals(requeue, { kind: "at", at: 13_000 });
});

for (const kind of ["failed", "reload-failed"] as const) {
  Deno.test(`afterPass() tries later after ${kind}, on the base that is good, ever later`, () => {
    const outcome: Outcome = { kind, reason: "x" };
    const known = { workerPid: 17, observed: EMPTY_HAPROXY };
    const first = next({ ...GOOD, known }, pass(outcome, { plan: RELOAD }));
    const second = next(first.state, pass(outcome, { plan: RELOAD }));
    assertEquals([first.requeue, second.requeue], [{ kind: "at", at: 10_500 }, { kind: "at", at: 11_000 }]);
    assertEquals([first.state.known, second.state.failures], [undefined, 2]);
    assert(second.state.goodBase === CONFIG.base);
  });
}
