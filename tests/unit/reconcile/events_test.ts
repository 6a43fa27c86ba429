import { assertEquals } from "@std/assert";
import type { Observed, ObservedServer } from "../../../lib/plan/observed.ts";
import type { Plan } from "../../../lib/plan/plan.ts";
import type { Step } from "../../../lib/plan/step.ts";
import { eventsBetween, healthBetween, type PassEvent } from "../../../lib/reconcile/events.ts";
import type { Pass } from "../../../lib/reconcile/pass.ts";
import { EMPTY_MODEL, type Model } from "../../../lib/registry/model.ts";
import { modelOf, observed, type PassChanges, passOf, reached, serverOf } from "../fixtures.ts";

const MODEL = modelOf({ "backend/a": "10.0.0.5:80" });
const pass = (changes: PassChanges = {}): Pass => passOf(MODEL, changes);

/** The last pass and the one before, which is undefined at the start. */
type Two = [before: Pass | undefined, after: Pass];

const LINE = { name: "a", params: "10.0.0.5:80 weight 100" };
const PLACE = { backend: "backend", server: "a" };
const ADD: Step = { ...PLACE, kind: "add", line: LINE, reason: "asked for at revision 9" };
const REMOVE = { ...PLACE, kind: "remove", isMaint: false, isDraining: false, isName: false } as const;
const removal = (changes: { isMaint?: boolean; isDraining?: boolean }): Step => ({
  ...REMOVE,
  reason: "no entry asks for it",
  ...changes,
});
const runtime = (steps: readonly Step[]): Plan => ({ kind: "runtime", steps });
const RELOAD: Plan = { kind: "reload", cause: "base-changed", reason: "another base", steps: [ADD] };

/** What the summary of a pass over `MODEL` is, unless said otherwise. */
const SUMMARY = {
  ...{ revision: 9, plan: "runtime", tookMs: 4, services: 1, servers: 1, pendingRemovals: 0 },
  ...{ driftRepairs: 0, steps: [], moreSteps: 0 },
} as const;

function rejecting(reason: string, revision: bigint): Model {
  return { ...EMPTY_MODEL, rejections: [{ key: "/services/backend/a", reason, revision }] };
}

const held = (place: string, until = 130_004) => ({
  server: serverOf("10.0.0.5:80", place),
  since: 0,
  until,
});
const released = (place: string, reason: string) => ({
  server: serverOf("10.0.0.5:80", place),
  since: 0,
  reason,
  counts: true,
});
const refused = (attempts: number, digest = "d1", reason = "unknown keyword") => ({
  refusedBase: { digest, reason, attempts, retryAt: 0 },
});

/** What begins, changes and ends. */
const changes: Record<string, [two: Two, events: PassEvent[]]> = {
  "nothing when nothing was done and nothing is wrong": [[undefined, pass()], []],

  "an entry that is rejected, before the first pass too": [
    [undefined, passOf(rejecting("no port", 7n))],
    [rejectedEvent("rejected", "no port", 7)],
  ],
  "a rejection with another reason": [
    [passOf(rejecting("no port", 7n)), passOf(rejecting("HAProxy refuses it", 7n))],
    [rejectedEvent("rejected", "HAProxy refuses it", 7)],
  ],
  "a rejection at another revision": [
    [passOf(rejecting("no port", 7n)), passOf(rejecting("no port", 8n))],
    [rejectedEvent("rejected", "no port", 8)],
  ],
  "a rejection that is gone": [
    [passOf(rejecting("no port", 7n)), passOf(EMPTY_MODEL)],
    [rejectedEvent("rejection-gone", "no port", 7)],
  ],

  "a server that is held, and until when": [
    [pass(), pass({ held: [held("backend/a", 130_004)] })],
    [{ kind: "held", service: "backend", server: "a", goesInMs: 30_000 }],
  ],
  "a held server whose time is up already": [
    [undefined, pass({ held: [held("backend/a", 5)] })],
    [{ kind: "held", service: "backend", server: "a", goesInMs: 0 }],
  ],
  "a held server that is let go, and why; not those that never were held": [
    [
      pass({ held: [held("backend/a"), held("backend/b")] }),
      pass({
        held: [held("backend/b")],
        released: [
          released("backend/a", "--guard-time is over"),
          released("backend/c", "only a few servers left"),
        ],
      }),
    ],
    [{ kind: "released", service: "backend", server: "a", reason: "--guard-time is over" }],
  ],
  "a held server that registered again": [
    [pass({ held: [held("backend/a")] }), pass()],
    [{ kind: "released", service: "backend", server: "a", reason: "its entry is back" }],
  ],

  "a base that is refused": [
    [pass(), pass({ state: refused(1) })],
    [{ kind: "base-refused", reason: "unknown keyword", attempts: 1, pendingBackends: [] }],
  ],
  "a base that is refused again": [
    [pass({ state: refused(1) }), pass({ state: refused(2) })],
    [{ kind: "base-refused", reason: "unknown keyword", attempts: 2, pendingBackends: [] }],
  ],
  "another base that is refused": [
    [pass({ state: refused(1) }), pass({ state: refused(1, "d2", "no frontend") })],
    [{ kind: "base-refused", reason: "no frontend", attempts: 1, pendingBackends: [] }],
  ],
  "a base that is accepted after all": [
    [pass({ state: refused(2) }), pass()],
    [{ kind: "base-accepted" }],
  ],

  "a last good copy that cannot be kept": [
    [pass(), pass({ state: { lastGoodError: "disk full" } })],
    [{ kind: "last-good-not-kept", reason: "disk full" }],
  ],
  "a last good copy that cannot be kept for another reason": [
    [pass({ state: { lastGoodError: "disk full" } }), pass({ state: { lastGoodError: "read only" } })],
    [{ kind: "last-good-not-kept", reason: "read only" }],
  ],
  "a last good copy that is kept again": [
    [pass({ state: { lastGoodError: "disk full" } }), pass()],
    [{ kind: "last-good-kept" }],
  ],

  "servers that went up and down": [
    [running({ a: { up: true }, b: { up: false } }), running({ a: { up: false }, b: { up: true } })],
    [healthEvent("server-down", "a"), healthEvent("server-up", "b")],
  ],
  "no health before the first pass": [[undefined, running({ a: { up: false } })], []],
};

function rejectedEvent(
  kind: "rejected" | "rejection-gone",
  reason: string,
  revision: number,
): PassEvent {
  return { kind, service: "backend", key: "/services/backend/a", reason, revision };
}

function healthEvent(kind: "server-up" | "server-down", server: string): PassEvent {
  return { kind, service: "backend", server, reason: "as HAProxy shows it" };
}

/** A HAProxy that runs these servers in one backend. */
function up(servers: Record<string, Partial<ObservedServer>>): Observed {
  const rows = Object.entries(servers).map(([name, changes]) => [name, observed(name, changes)] as const);
  return { kind: "up", base: undefined, servers: new Map([["backend", new Map(rows)]]) };
}

/** A pass after which HAProxy was seen to run these servers. */
function running(servers: Record<string, Partial<ObservedServer>>): Pass {
  return pass({ outcome: reached({ observed: up(servers) }) });
}

for (const [what, [[before, after], events]] of Object.entries(changes)) {
  Deno.test(`eventsBetween() tells ${what}`, () => assertEquals(eventsBetween(before, after), events));

  Deno.test(`eventsBetween() does not tell again: ${what}`, () => {
    assertEquals(eventsBetween(after, { ...after, endedAt: after.endedAt + 1_000 }), []);
  });
}

Deno.test("eventsBetween() tells a last good copy that fails, and its end, with a put-off pass between", () => {
  const failing = { state: { lastGoodError: "disk full" } };
  const pace = { kind: "later", at: undefined, reason: "changes are still coming", crowded: false } as const;
  const passes = [
    pass(),
    pass({ outcome: reached({ lastGoodError: "disk full" }), ...failing }),
    pass({ plan: runtime([removal({})]), pace, ...failing }),
    pass({ outcome: reached() }),
  ];
  const kinds = passes.map((after, index) => eventsBetween(passes[index - 1], after).map(({ kind }) => kind));
  assertEquals(kinds, [[], ["last-good-not-kept"], ["plan-put-off"], ["last-good-kept"]]);
});

Deno.test("eventsBetween() tells which backends wait for a base that is refused, when it is refused", () => {
  // The pass that is refused has the rendered text; only the next one has the last good base.
  const servers = new Map([["backend", [LINE]], ["shop", [{ ...LINE, name: "s" }]]]);
  const rendered = { config: { base: "global\n\nbackend backend\n\nbackend shop\n", servers } };
  const desired = { ...rendered, base: "rendered", pendingBackends: [] } as const;
  const state = { ...refused(1), goodBase: "global\n\nbackend backend\n" };
  const alerts = [{ line: undefined, server: undefined, message: "unknown keyword" }];
  const outcome = { kind: "refused", alerts } as const;
  const after = pass({ plan: RELOAD, desired, state, outcome, requeue: { kind: "at-once" } });
  assertEquals(eventsBetween(pass(), after).find(({ kind }) => kind === "base-refused"), {
    kind: "base-refused",
    reason: "unknown keyword",
    attempts: 1,
    pendingBackends: ["shop"],
  });
});

Deno.test("eventsBetween() tells which backends wait for a template that fails", () => {
  const config = { base: "global\n", servers: new Map() };
  const desired = { config, base: "last-good", pendingBackends: ["shop"], templateError: "no such" } as const;
  const after = pass({ desired, state: { ...refused(1, "", "no such"), goodBase: "global\n" } });
  assertEquals(eventsBetween(pass(), after), [
    { kind: "base-refused", reason: "no such", attempts: 1, pendingBackends: ["shop"] },
  ]);
});

const addEvent = {
  kind: "step",
  service: "backend",
  server: "a",
  action: "add",
  reason: ADD.reason,
} as const;
const ADD_TEXT = "add server backend/a 10.0.0.5:80 weight 100: asked for at revision 9";
const PUT_OFF = { kind: "later", at: undefined, reason: "changes are still coming", crowded: false } as const;
const loaded = { kind: "reload", cause: "base-changed", reason: "another base", result: "loaded" } as const;
const withAdd = { ...SUMMARY, steps: [ADD_TEXT] };
const withReload = { ...SUMMARY, plan: "reload", steps: ["reload: another base", ADD_TEXT] } as const;
const failing = (outcome: string, reason: string) => ({ kind: "not-applied", outcome, reason });

/** What a plan was for, and what came of it. Each pass is told on its own. */
const plans: Record<string, [changes: PassChanges, events: unknown[]]> = {
  "nothing of a plan that has nothing to do": [{ plan: { kind: "nothing" }, outcome: reached() }, []],
  "a file that was written": [
    { plan: { kind: "write", reason: "it differs" }, outcome: reached() },
    [{ kind: "applied", goesOn: false, ...SUMMARY, plan: "write", steps: ["write the file: it differs"] }],
  ],
  "steps, and that they were applied": [
    { plan: runtime([ADD]), outcome: reached() },
    [addEvent, { kind: "applied", goesOn: false, ...withAdd }],
  ],
  "what is left to remove and what undid others' changes, in numbers": [
    { plan: runtime([ADD]), outcome: reached({ pending: 3 }), drift: 2, tookMs: 4.6 },
    [
      addEvent,
      { kind: "applied", goesOn: false, ...withAdd, pendingRemovals: 3, driftRepairs: 2, tookMs: 5 },
    ],
  ],
  "a plan that was put off, without its steps as events": [
    { plan: runtime([ADD]), pace: PUT_OFF },
    [{ kind: "plan-put-off", ...withAdd, reason: "changes are still coming" }],
  ],
  "a removal when it begins": [
    { plan: runtime([removal({})]), outcome: reached({ pending: 1 }) },
    [
      { kind: "step", service: "backend", server: "a", action: "remove", reason: "no entry asks for it" },
      {
        ...{ kind: "applied", goesOn: false, ...SUMMARY, pendingRemovals: 1 },
        steps: ["remove server backend/a: no entry asks for it"],
      },
    ],
  ],
  "a removal that goes on, but not as a step": [
    {
      plan: runtime([removal({ isDraining: true }), removal({ isMaint: true })]),
      outcome: reached({ pending: 2 }),
    },
    [{
      ...{ kind: "applied", goesOn: true, ...SUMMARY, pendingRemovals: 2 },
      steps: Array(2).fill("remove server backend/a: no entry asks for it"),
    }],
  ],
  "that more was done than to go on with a removal": [
    { plan: runtime([removal({ isDraining: true }), ADD]), outcome: reached({ pending: 1 }) },
    [addEvent, {
      ...{ kind: "applied", goesOn: false, ...SUMMARY, pendingRemovals: 1 },
      steps: ["remove server backend/a: no entry asks for it", ADD_TEXT],
    }],
  ],
  "a reload": [
    { plan: RELOAD, outcome: reached() },
    [addEvent, loaded, { kind: "applied", goesOn: false, ...withReload }],
  ],
  "a reload that failed, and no step: nothing was changed": [
    { plan: RELOAD, outcome: { kind: "reload-failed", reason: "cannot load" } },
    [{ ...loaded, result: "failed" }, {
      ...failing("reload-failed", "cannot load"),
      startsOver: false,
      ...withReload,
    }],
  ],
  "a reload that did not bring what was asked for": [
    { plan: RELOAD, outcome: { kind: "failed", reason: "other servers run" } },
    [addEvent, { ...loaded, result: "failed" }, {
      ...failing("failed", "other servers run"),
      startsOver: false,
      ...withReload,
    }],
  ],
  "a reload that was not tried, and no step: nothing was changed": [
    { plan: RELOAD, outcome: { kind: "vetoed", reason: "address in use" } },
    [{ ...loaded, result: "vetoed" }, {
      ...failing("vetoed", "address in use"),
      startsOver: false,
      ...withReload,
    }],
  ],
  "a text that HAProxy refuses: no reload, no step, and that the next pass leaves it out": [
    {
      plan: RELOAD,
      outcome: {
        kind: "refused",
        alerts: ["no such thing", "nor this"].map((message) => ({
          line: undefined,
          server: undefined,
          message,
        })),
      },
      requeue: { kind: "at-once" },
    },
    [{ ...failing("refused", "no such thing; nor this"), startsOver: true, ...withReload }],
  ],
  "steps that had no effect": [
    {
      plan: runtime([ADD]),
      outcome: { kind: "incomplete", reason: "1 steps had no effect" },
      requeue: { kind: "at-once" },
    },
    [addEvent, { ...failing("incomplete", "1 steps had no effect"), startsOver: true, ...withAdd }],
  ],
};

for (const [what, [changes, events]] of Object.entries(plans)) {
  Deno.test(`eventsBetween() tells ${what}`, () => {
    assertEquals<unknown>(eventsBetween(pass(), pass(changes)), events);
  });
}

for (const [count, shown, more] of [[20, 20, 0], [21, 20, 1], [5_000, 20, 4_980]] as const) {
  Deno.test(`eventsBetween() shows ${shown} of ${count} steps in the summary, and all as events`, () => {
    const steps = Array.from({ length: count }, (_, id) => ({ ...ADD, server: `s${id}` }));
    const events = eventsBetween(pass(), pass({ plan: runtime(steps), outcome: reached() }));
    const summary = events.find(({ kind }) => kind === "applied");
    if (summary?.kind !== "applied") throw new Error("applied is missing");
    assertEquals([summary.steps.length, summary.moreSteps], [shown, more]);
    assertEquals(events.filter(({ kind }) => kind === "step").length, count);
  });
}

const looks: Record<string, [before: Observed, after: Observed, events: PassEvent[]]> = {
  "a server that went down": [up({ a: {} }), up({ a: { up: false } }), [healthEvent("server-down", "a")]],
  "a server that went up": [up({ a: { up: false } }), up({ a: {} }), [healthEvent("server-up", "a")]],
  "nothing of a server that stayed as it was": [up({ a: {} }), up({ a: { weight: 1 } }), []],
  "nothing of a server that is new": [up({}), up({ a: { up: false } }), []],
  "nothing of a server in a backend that is new": [
    { kind: "up", base: undefined, servers: new Map() },
    up({ a: { up: false } }),
    [],
  ],
  "nothing of a server that is gone": [up({ a: {} }), up({}), []],
  "nothing of a server that goes into maintenance": [
    up({ a: {} }),
    up({ a: { up: false, maint: true } }),
    [],
  ],
  "nothing of a server that comes out of maintenance": [
    up({ a: { up: false, maint: true } }),
    up({ a: {} }),
    [],
  ],
  "nothing while HAProxy is away": [up({ a: {} }), { kind: "down", reason: "it ended" }, []],
  "nothing when HAProxy is back": [{ kind: "silent", reason: "no socket" }, up({ a: { up: false } }), []],
};

for (const [what, [before, after, events]] of Object.entries(looks)) {
  Deno.test(`healthBetween() tells ${what}`, () => {
    assertEquals(healthBetween(before, after), events);
    assertEquals(healthBetween(after, after), []);
  });
}
