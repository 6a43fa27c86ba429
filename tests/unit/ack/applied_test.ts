import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Plan } from "../../../lib/plan/plan.ts";
import {
  NOTHING_VERIFIED,
  reachedBy,
  type Verification,
  withApplied,
  withLook,
} from "../../../lib/ack/applied.ts";
import { EMPTY_HAPROXY, modelOf, passOf, reached } from "../fixtures.ts";

const IDLE_MS = 5_000;
const at = (now: number, ...oldWorkers: number[]) => ({ now, oldWorkers, idleMs: IDLE_MS });
const to = (revision: bigint, urgent = revision) => ({ revision, urgent });
const state = ({ verified, blocked }: Verification) => [verified, blocked.map(({ revision }) => revision)];

Deno.test("withApplied() verifies at once what no old worker prevents", () => {
  const after = withApplied(NOTHING_VERIFIED, to(7n), at(0));
  assertEquals([after.verified, after.urgent, after.blocked], [7n, 7n, []]);
});

Deno.test("withApplied() waits for workers that were retired before, and withLook() sees them go", () => {
  const blocked = withApplied(NOTHING_VERIFIED, to(7n), at(0, 100, 101));
  assertEquals(state(blocked), [undefined, [7n]]);
  assertEquals(state(withLook(blocked, at(10, 101))), [undefined, [7n]]);
  assertEquals(state(withLook(blocked, at(20))), [7n, []]);
});

Deno.test("withLook() waits no longer than a client may be idle, counted from when the worker was retired", () => {
  const known = withApplied(NOTHING_VERIFIED, to(7n), at(1_000, 100));
  const blocked = withApplied(known, to(8n), at(3_000, 100));
  assertEquals(state(withLook(blocked, at(5_999, 100))), [undefined, [8n]]);
  assertEquals(state(withLook(blocked, at(6_000, 100))), [8n, []]);
});

Deno.test("withLook() waits for the end of a worker whose clients may be idle for ever", () => {
  const forever = (now: number, ...oldWorkers: number[]) => ({ now, oldWorkers, idleMs: undefined });
  const blocked = withApplied(NOTHING_VERIFIED, to(7n), forever(0, 100));
  assertEquals(state(withLook(blocked, forever(1e9, 100))), [undefined, [7n]]);
  assertEquals(state(withLook(blocked, forever(1e9 + 1))), [7n, []]);
});

Deno.test("withApplied() does not hold a revision up for workers that are retired later", () => {
  let now = withApplied(NOTHING_VERIFIED, to(7n), at(0, 100));
  for (let i = 1; i <= 20; i++) now = withApplied(now, to(7n + BigInt(i)), at(i * 1_000, 100 + i, 99 + i));
  assertEquals(now.verified, 25n);
});

Deno.test("withApplied() keeps one revision for all that wait for the same workers", () => {
  let now = withApplied(NOTHING_VERIFIED, to(7n), at(0, 100));
  for (let revision = 8n; revision < 100n; revision++) {
    now = withApplied(now, to(revision, 50n), at(1, 100));
  }
  assertEquals(state(now), [undefined, [99n]]);
  assertEquals(withLook(now, at(2)).urgent, 50n);
});

Deno.test("withApplied() lets a later revision replace an earlier one", () => {
  const two = withApplied(withApplied(NOTHING_VERIFIED, to(7n), at(0, 100)), to(8n), at(1, 101));
  assertEquals(state(two), [7n, [8n]]);
});

Deno.test("withApplied() calls nothing urgent that an old worker prevents", () => {
  const one = withApplied(NOTHING_VERIFIED, to(7n), at(0));
  const two = withApplied(one, to(8n, 7n), at(1));
  const three = withApplied(two, to(9n), at(2, 100));
  assertEquals([three.verified, three.urgent], [8n, 7n]);
  assertEquals(withLook(three, at(3)).urgent, 9n);
});

Deno.test("withApplied() begins again when revisions go backwards, but knows the old workers", () => {
  const before = withApplied(NOTHING_VERIFIED, to(700n), at(0, 100));
  const after = withApplied(before, to(3n), at(1_000, 100));
  assertEquals(state(after), [undefined, [3n]]);
  assertEquals(state(withLook(after, at(5_000, 100))), [3n, []]);
});

Deno.test("withApplied() takes the same revision again for a look", () => {
  const blocked = withApplied(NOTHING_VERIFIED, to(7n), at(0, 100));
  assertEquals(state(withApplied(blocked, to(7n), at(1_000, 100, 101))), [undefined, [7n]]);
  assertEquals(state(withApplied(blocked, to(7n), at(1_000, 101))), [7n, []]);
});

Deno.test("no revision is verified while a worker that was retired before it may get a request", () => {
  // Workers retire one after the other, and end when they like; passes and looks come in between.
  const event = fc.oneof(
    fc.constant("reload" as const),
    fc.constant("pass" as const),
    fc.constant("look" as const),
    fc.nat(3).map((which) => ({ ends: which })),
    fc.integer({ min: 1, max: 3_000 }).map((ms) => ({ ms })),
  );
  fc.assert(fc.property(fc.array(event, { maxLength: 60 }), (events) => {
    let now = 0;
    let pid = 0;
    let revision = 0n;
    let old: { pid: number; retiredAt: number }[] = [];
    let verification = NOTHING_VERIFIED;
    const before = new Map<bigint, { pid: number; retiredAt: number }[]>();
    const seen = () => at(now, ...old.map(({ pid }) => pid));
    for (const event of events) {
      if (event === "reload") {
        old.push({ pid: ++pid, retiredAt: now });
        verification = withLook(verification, seen());
      } else if (event === "pass") {
        before.set(++revision, [...old]);
        verification = withApplied(verification, to(revision), seen());
      } else if (event === "look") verification = withLook(verification, seen());
      else if ("ends" in event) old = old.filter((_, at) => at !== event.ends);
      else now += event.ms;
      const dangerous = old.filter(({ retiredAt }) => now < retiredAt + IDLE_MS).map(({ pid }) => pid);
      const verified = verification.verified;
      if (verified === undefined) continue;
      const inTheWay = (before.get(verified) ?? []).filter(({ pid }) => dangerous.includes(pid));
      assertEquals(inTheWay, [], `at revision ${verified}`);
    }
    // Once all have ended, the newest is verified.
    assertEquals(withLook(verification, at(now)).verified, revision === 0n ? undefined : revision);
  }));
});

const PLAN: Plan = { kind: "reload", cause: "base-changed", reason: "x", steps: [] };
const MODEL = modelOf({ "s/a": "10.0.0.5:80" });
const DOWN = reached({ observed: { kind: "down", reason: "exit code 1" } });

const passes: Record<
  string,
  [Parameters<typeof passOf>[1], attached: boolean, ReturnType<typeof reachedBy>]
> = {
  "a pass that changed something": [{ plan: PLAN, outcome: reached() }, false, 9n],
  "a pass that found nothing to do": [{ outcome: reached() }, false, 9n],
  "a pass while HAProxy does not run: it will start with the file": [{ outcome: DOWN }, false, 9n],
  "no pass while an attached HAProxy is away": [{ outcome: DOWN }, true, undefined],
  "no pass that was put off": [{ plan: PLAN }, false, undefined],
  "no pass that failed": [{ plan: PLAN, outcome: { kind: "failed", reason: "x" } }, false, undefined],
  "no pass before HAProxy is known": [
    { observed: { kind: "starting" }, outcome: reached({ observed: { kind: "starting" } }) },
    false,
    undefined,
  ],
};

for (const [what, [changes, attached, expected]] of Object.entries(passes)) {
  Deno.test(`reachedBy() takes the revision of ${what}`, () => {
    const pass = passOf(MODEL, { observed: EMPTY_HAPROXY, ...changes });
    assertEquals(reachedBy(pass, { attached }), expected);
  });
}
