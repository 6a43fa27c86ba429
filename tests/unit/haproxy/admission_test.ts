import { assertEquals } from "@std/assert";
import { ADMIT_ALL, createAdmission } from "../../../lib/haproxy/admission.ts";
import type { Candidate } from "../../../lib/plan/probe_targets.ts";
import type { ProbeTarget } from "../../../lib/util/probe.ts";
import { waitFor } from "../../support/mod.ts";

/** A probe whose answers the test gives, and what was brought up. */
function createWorld() {
  const answers = new Map<number, () => boolean | undefined>();
  const probes: { target: ProbeTarget; answer: (passed: boolean) => void; signal: AbortSignal }[] = [];
  const broughtUp: (readonly string[])[] = [];
  const stop = new AbortController();
  const open = { now: 0, most: 0 };
  const admission = createAdmission({
    probe: (target, signal) => {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const give = answers.get(target.port)?.();
      if (give !== undefined) resolve(give);
      signal.addEventListener("abort", () => resolve(false));
      probes.push({ target, answer: resolve, signal });
      open.most = Math.max(open.most, ++open.now);
      return promise.finally(() => open.now--);
    },
    bringUp: (keys) => {
      broughtUp.push(keys);
      return Promise.resolve();
    },
    signal: stop.signal,
  });
  return {
    admission,
    probes,
    broughtUp,
    stop,
    /** How many probes wait for an answer, and how many did at most. */
    open,
    /** Every probe of this port is answered at once. */
    answer: (port: number, give: () => boolean | undefined) => answers.set(port, give),
    untilIdle: () => waitFor("the end of all probes", () => admission.probing() === 0),
  };
}

function candidate(port: number, path?: string): Candidate {
  return { key: `b/${port}`, target: { host: "10.0.0.5", port, path } };
}

const unready = async (round: { unready(): Promise<ReadonlySet<string>> }) =>
  [...await round.unready()].sort();

Deno.test("createAdmission() reports no unready server when all pass", async () => {
  const { admission, answer, probes, broughtUp } = createWorld();
  [1, 2].forEach((port) => answer(port, () => true));
  const round = admission.begin([candidate(1), candidate(2, "/up")]);
  assertEquals(admission.probing(), 2);
  assertEquals(await unready(round), []);
  round.confirm();
  assertEquals(probes.map(({ target }) => target), [candidate(1).target, candidate(2, "/up").target]);
  assertEquals([admission.probing(), broughtUp], [0, []]);
});

Deno.test("createAdmission() reports servers that did not pass as unready, and keeps probing them", async () => {
  const { admission, answer, stop, untilIdle, broughtUp } = createWorld();
  answer(1, () => true);
  answer(2, () => false);
  const round = admission.begin([candidate(1), candidate(2), candidate(3)]);
  assertEquals(await unready(round), ["b/2", "b/3"]);
  assertEquals(admission.probing(), 2);
  stop.abort();
  await untilIdle();
  round.confirm();
  assertEquals(broughtUp, []);
});

Deno.test("createAdmission() tries again within a pass", async () => {
  const { admission, answer } = createWorld();
  const answers = [false, true];
  answer(1, () => answers.shift());
  assertEquals(await unready(admission.begin([candidate(1)])), []);
  assertEquals(answers, []);
});

Deno.test("createAdmission() does not wait when there is no target to probe", async () => {
  const { admission, probes } = createWorld();
  const round = admission.begin([{ key: "b/tls", target: undefined }]);
  assertEquals(await unready(round), ["b/tls"]);
  assertEquals([admission.probing(), probes.length, await unready(admission.begin([]))], [0, 0, []]);
});

Deno.test("createAdmission() brings up what passes later, but not before HAProxy knows it", async () => {
  const { admission, answer, probes, untilIdle, broughtUp } = createWorld();
  answer(2, () => true);
  const round = admission.begin([candidate(1), candidate(2)]);
  assertEquals(await unready(round), ["b/1"]);
  answer(1, () => true);
  probes.forEach(({ answer }) => answer(true));
  await untilIdle();
  assertEquals(broughtUp, []);
  round.confirm();
  assertEquals(broughtUp, [["b/1"]]);
});

Deno.test("createAdmission() brings up what passes after HAProxy knows it, those of one moment together", async () => {
  const { admission, answer, probes, broughtUp } = createWorld();
  const round = admission.begin([candidate(1), candidate(2)]);
  assertEquals(await unready(round), ["b/1", "b/2"]);
  round.confirm();
  assertEquals(broughtUp, []);
  [1, 2].forEach((port) => answer(port, () => true));
  probes.forEach(({ answer }) => answer(true));
  await waitFor("both to be brought up", () => broughtUp.length > 0);
  assertEquals(broughtUp.map((keys) => [...keys].sort()), [["b/1", "b/2"]]);
});

Deno.test("createAdmission() probes 256 at a time, and all of them in the end", async () => {
  const { admission, probes, open, stop, untilIdle } = createWorld();
  admission.begin(Array.from({ length: 300 }, (_, at) => candidate(at + 1)));
  await Promise.resolve();
  assertEquals(probes.length, 256);
  await waitFor("all to be probed", () => {
    probes.forEach(({ answer }) => answer(true));
    return probes.length >= 300;
  });
  assertEquals(open.most, 256);
  const ports = new Set(probes.map(({ target }) => target.port));
  assertEquals(ports.size, 300);
  stop.abort();
  await untilIdle();
});

Deno.test("createAdmission() gives up the place of a target that hangs, and delays no other for it", async () => {
  const { admission, answer, probes, stop, untilIdle } = createWorld();
  const healthy = Array.from({ length: 50 }, (_, at) => candidate(at + 2));
  healthy.forEach(({ target }) => answer(target?.port ?? 0, () => true));
  const round = admission.begin([candidate(1), ...healthy]);
  assertEquals(await unready(round), ["b/1"]);
  await waitFor("the end of the first attempt", () => probes[0]?.signal.aborted);
  await waitFor("a second attempt", () => probes.filter(({ target }) => target.port === 1).length === 2);
  stop.abort();
  await untilIdle();
});

Deno.test("createAdmission() drops the older wait when a server comes again", async () => {
  const { admission, answer, probes, untilIdle, broughtUp } = createWorld();
  const older = admission.begin([candidate(1)]);
  assertEquals(await unready(older), ["b/1"]);
  older.confirm();
  answer(81, () => true);
  const moved = { key: "b/1", target: { host: "10.0.0.5", port: 81, path: undefined } };
  const newer = admission.begin([moved]);
  assertEquals(probes[0]?.signal.aborted, true);
  assertEquals(await unready(newer), []);
  newer.confirm();
  await untilIdle();
  assertEquals(broughtUp, []);
});

Deno.test("createAdmission() drops the older wait for a server that only HAProxy's own check can tell of now", async () => {
  const { admission, probes, untilIdle, broughtUp } = createWorld();
  const older = admission.begin([candidate(1)]);
  await older.unready();
  older.confirm();
  assertEquals(await unready(admission.begin([{ key: "b/1", target: undefined }])), ["b/1"]);
  assertEquals(probes[0]?.signal.aborted, true);
  await untilIdle();
  assertEquals(broughtUp, []);
});

Deno.test("createAdmission() leaves a target to HAProxy's own check in the end", async () => {
  const { admission, answer, untilIdle, broughtUp } = createWorld();
  answer(1, () => false);
  const round = admission.begin([candidate(1)]);
  await round.unready();
  round.confirm();
  await untilIdle();
  assertEquals(broughtUp, []);
});

Deno.test("ADMIT_ALL reports no unready server and probes none", async () => {
  const round = ADMIT_ALL.begin([candidate(1), { key: "b/tls", target: undefined }]);
  assertEquals(await unready(round), []);
  round.confirm();
  assertEquals(ADMIT_ALL.probing(), 0);
});
