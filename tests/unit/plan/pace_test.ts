import { assertEquals } from "@std/assert";
import type { Plan } from "../../../lib/plan/plan.ts";
import type { Step } from "../../../lib/plan/step.ts";
import { afterReload, NO_RELOADS, type Pace, pace, type PaceInput } from "../../../lib/plan/pace.ts";

const RELOAD: PaceInput = {
  plan: { kind: "reload", cause: "base-changed", reason: "x", steps: [] },
  now: 10_000,
  quiet: true,
  reloadIntervalMs: 1_000,
  history: NO_RELOADS,
  oldWorkers: 0,
};
const PLACE = { backend: "s", server: "a", reason: "x" };
const LINE = { name: "a", params: "10.0.0.5:80" };
const ADD: Step = { ...PLACE, kind: "add", line: LINE };
const READY: Step = { ...PLACE, kind: "ready", line: LINE, from: "drain" };
const REMOVE: Step = { ...PLACE, kind: "remove", isMaint: false, isDraining: false, isName: false };
const WEIGHT: Step = { ...PLACE, kind: "weight", weight: 0 };
const runtime = (...steps: Step[]): { plan: Plan } => ({ plan: { kind: "runtime", steps } });
const NOW: Pace = { kind: "now" };
const COMING: Pace = { kind: "later", at: undefined, reason: "changes are still coming", crowded: false };
const recent = (at: number, { crowded }: { crowded: boolean }): Pace => ({
  kind: "later",
  at,
  reason: "the last reload is too recent",
  crowded,
});
const history = (lastEndedAt: number, crowded = 0) => ({ history: { lastEndedAt, crowded } });

const cases: Record<string, [input: Partial<PaceInput>, expected: Pace]> = {
  "a first reload now": [{}, NOW],
  "a reload until changes stop coming": [
    { quiet: false },
    COMING,
  ],
  "a reload within the interval until its end": [history(9_001), recent(10_001, { crowded: true })],
  "a reload at the end of the interval now": [history(9_000), NOW],
  "a reload after one crowded reload for twice the interval": [
    history(9_001, 1),
    recent(11_001, { crowded: true }),
  ],
  "a reload that comes later than the plain interval wait, but not crowd": [
    history(9_000, 1),
    recent(11_000, { crowded: false }),
  ],
  "a reload after ten crowded reloads for 30 seconds at most": [
    history(9_000, 10),
    recent(39_000, { crowded: false }),
  ],
  "a reload with four old workers now": [{ oldWorkers: 4 }, NOW],
  "a reload with five old workers for half a second": [
    { oldWorkers: 5 },
    { kind: "later", at: 10_500, reason: "5 old workers still live", crowded: false },
  ],
  "a reload that is to wait for both until the interval ends": [
    { ...history(9_500), oldWorkers: 9 },
    recent(10_500, { crowded: true }),
  ],
  "steps that only add and readmit now, while changes are still coming": [
    { ...runtime(ADD, READY), quiet: false, ...history(9_999, 5), oldWorkers: 9 },
    NOW,
  ],
  "a removal until changes stop coming": [{ ...runtime(ADD, REMOVE), quiet: false }, COMING],
  "a weight until changes stop coming": [{ ...runtime(WEIGHT), quiet: false }, COMING],
  "a removal now when changes stopped coming, whatever a reload would wait for": [
    { ...runtime(REMOVE), ...history(9_999, 5), oldWorkers: 9 },
    NOW,
  ],
  "a write now, whatever a reload would wait for": [
    { plan: { kind: "write", reason: "x" }, quiet: false, ...history(9_999, 5), oldWorkers: 9 },
    NOW,
  ],
  "nothing now": [{ plan: { kind: "nothing" }, quiet: false, ...history(9_999) }, NOW],
};

for (const [what, [input, expected]] of Object.entries(cases)) {
  Deno.test(`pace() makes ${what}`, () => assertEquals(pace({ ...RELOAD, ...input }), expected));
}

Deno.test("afterReload() counts the reloads that crowd, and starts over when one does not", () => {
  const first = afterReload(NO_RELOADS, { endedAt: 5, crowded: true });
  const second = afterReload(first, { endedAt: 6, crowded: true });
  assertEquals([first, second], [{ lastEndedAt: 5, crowded: 1 }, { lastEndedAt: 6, crowded: 2 }]);
  assertEquals(afterReload(second, { endedAt: 7, crowded: false }), { lastEndedAt: 7, crowded: 0 });
});

Deno.test("afterReload() counts no further than the longest interval needs", () => {
  const history = { lastEndedAt: 5, crowded: 10 };
  assertEquals(afterReload(history, { endedAt: 6, crowded: true }).crowded, 10);
});
