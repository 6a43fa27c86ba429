import { assertEquals } from "@std/assert";
import { baseDigest } from "../../../lib/config/text.ts";
import {
  INITIAL_STATE,
  withFailure,
  withRefusals,
  withRefusedBase,
  withReload,
  withVerified,
} from "../../../lib/reconcile/state.ts";
import { buildModel, type Refusal, type Refusals } from "../../../lib/registry/model.ts";
import { PREFIXES, raw } from "../fixtures.ts";

const refusal = (revision: bigint): Refusal => ({ revision, reason: `refused at ${revision}` });

/** A model with these servers of service `s`, each with its revision. */
function modelAt(revisions: Record<string, bigint>, refusals: Refusals = new Map()) {
  const entries = Object.entries(revisions).map(([id, at]) => raw(`/services/s/${id}`, "10.0.0.5:80", at));
  return buildModel({ revision: 9n, entries }, PREFIXES, { refusals });
}

Deno.test("withRefusals() remembers what HAProxy refused beside what it refused before", () => {
  const first = withRefusals(INITIAL_STATE, new Map([["s/a", refusal(3n)]]), modelAt({ a: 3n, b: 4n }));
  // A refused entry is no longer among the servers of the model, but among its rejections.
  const model = modelAt({ a: 3n, b: 4n }, first.refusals);
  const second = withRefusals(first, new Map([["s/b", refusal(4n)]]), model);
  assertEquals(second.refusals, new Map([["s/a", refusal(3n)], ["s/b", refusal(4n)]]));
});

Deno.test("withRefusals() forgets the refusal of an entry that was deleted", () => {
  const memory = { ...INITIAL_STATE, refusals: new Map([["s/a", refusal(3n)]]) };
  assertEquals(withRefusals(memory, new Map(), modelAt({ b: 4n })).refusals, new Map());
});

Deno.test("withRefusals() forgets the refusal of an entry that was written again", () => {
  const memory = { ...INITIAL_STATE, refusals: new Map([["s/a", refusal(3n)]]) };
  assertEquals(withRefusals(memory, new Map(), modelAt({ a: 5n })).refusals, new Map());
  const again = withRefusals(memory, new Map([["s/a", refusal(5n)]]), modelAt({ a: 5n }));
  assertEquals(again.refusals, new Map([["s/a", refusal(5n)]]));
});

const refused = (digest: string, now: number, by: "refused" | "vetoed" = "refused") => ({
  ...{ digest, reason: "no such keyword", by },
  ...{ now, random: 0 },
});

Deno.test("withRefusedBase() tries the same base again ever later, and another one from the start", () => {
  let memory = withRefusedBase(INITIAL_STATE, refused("one", 1_000));
  assertEquals(memory.refusedBase, {
    digest: "one",
    reason: "no such keyword",
    attempts: 1,
    retryAt: 1_500,
  });
  memory = withRefusedBase(memory, refused("one", 2_000));
  assertEquals([memory.refusedBase?.attempts, memory.refusedBase?.retryAt], [2, 3_000]);
  memory = withRefusedBase(memory, refused("two", 4_000));
  assertEquals([memory.refusedBase?.attempts, memory.refusedBase?.retryAt], [1, 4_500]);
});

for (const [by, maxMs] of [["refused", 30_000], ["vetoed", 3_000]] as const) {
  Deno.test(`withRefusedBase() tries a ${by} base again after ${maxMs / 1_000} s at the most`, () => {
    let memory = INITIAL_STATE;
    for (let attempt = 0; attempt < 12; attempt++) memory = withRefusedBase(memory, refused("one", 0, by));
    assertEquals(memory.refusedBase?.retryAt, maxMs);
  });
}

Deno.test("withFailure() tries again after 3 s at the most", () => {
  let failed = withFailure(INITIAL_STATE, { now: 0, random: 0 });
  for (let attempt = 0; attempt < 12; attempt++) failed = withFailure(failed.state, { now: 0, random: 0 });
  assertEquals(failed.retryAt, 3_000);
});

Deno.test("withVerified() remembers the base that runs, and ends its refusal and the failures", () => {
  const memory = { ...withRefusedBase(INITIAL_STATE, refused(baseDigest("new\n"), 0)), failures: 3 };
  const verified = withVerified(memory, { base: "new\n", isRendered: true });
  assertEquals([verified.goodBase, verified.refusedBase, verified.failures], ["new\n", undefined, 0]);
});

Deno.test("withVerified() ends the refusal of an earlier base: the template asks for another one now", () => {
  const memory = withRefusedBase(INITIAL_STATE, refused("earlier", 0));
  assertEquals(withVerified(memory, { base: "new\n", isRendered: true }).refusedBase, undefined);
});

Deno.test("withVerified() keeps a refusal while the last good base runs in its place", () => {
  const memory = withRefusedBase(INITIAL_STATE, refused(baseDigest("new\n"), 0));
  const verified = withVerified(memory, { base: "old\n", isRendered: false });
  assertEquals([verified.goodBase, verified.refusedBase], ["old\n", memory.refusedBase]);
});

Deno.test("withReload() counts a reload that crowds the one before, and the next one afresh", () => {
  const first = withReload({ ...INITIAL_STATE, reloadCrowds: true }, 100);
  assertEquals([first.reloads, first.reloadCrowds], [{ lastEndedAt: 100, crowded: 1 }, false]);
  assertEquals(withReload(first, 200).reloads, { lastEndedAt: 200, crowded: 0 });
});

Deno.test("withFailure() waits longer after each failed pass", () => {
  const first = withFailure(INITIAL_STATE, { now: 1_000, random: 0 });
  const second = withFailure(first.state, { now: 2_000, random: 0 });
  assertEquals([first.retryAt, second.retryAt, second.state.failures], [1_500, 3_000, 2]);
});

Deno.test("every function of memory leaves the memory that it is given as it is", () => {
  const before = structuredClone(INITIAL_STATE);
  withRefusals(INITIAL_STATE, new Map([["s/a", refusal(3n)]]), modelAt({ a: 3n }));
  withRefusedBase(INITIAL_STATE, refused("one", 0));
  withVerified(INITIAL_STATE, { base: "a\n", isRendered: true });
  withReload(INITIAL_STATE, 1);
  withFailure(INITIAL_STATE, { now: 1, random: 0 });
  assertEquals(INITIAL_STATE, before);
});
