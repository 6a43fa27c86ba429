import { assertEquals, assertRejects } from "@std/assert";
import { type Part, runParts } from "../../../lib/node/parts.ts";
import { aborted } from "../../../lib/util/time.ts";

/** A part that writes down what happens to it, and ends when it is told to, some turns of the loop later. */
function part(name: string, diary: string[], onStop: () => void = () => {}): Part {
  return {
    name,
    run: async (signal) => {
      diary.push(`${name} runs`);
      await aborted(signal);
      diary.push(`${name} stops`);
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve));
      onStop();
      diary.push(`${name} has ended`);
    },
  };
}

const ALL_RUN = ["a runs", "b runs", "c runs"];
const ALL_STOP = ["c stops", "c has ended", "b stops", "b has ended", "a stops", "a has ended"];

function abc(diary: string[]): [Part, Part, Part] {
  return [part("a", diary), part("b", diary), part("c", diary)];
}

Deno.test("runParts() stops the parts one after the other, the last one first", async () => {
  const diary: string[] = [];
  const stop = new AbortController();
  const running = runParts(abc(diary), stop.signal);
  assertEquals(diary, ALL_RUN);
  stop.abort();
  await running;
  assertEquals(diary, [...ALL_RUN, ...ALL_STOP]);
});

Deno.test("runParts() starts and stops the parts when it was to stop before it began", async () => {
  const diary: string[] = [];
  await runParts(abc(diary), AbortSignal.abort());
  assertEquals(diary, [...ALL_RUN, ...ALL_STOP]);
});

Deno.test("runParts() without parts ends when it is told to", async () => {
  await runParts([], AbortSignal.abort());
});

/** Parts around one that fails once it is told to. */
function withFailing(diary: string[], fail: (signal: AbortSignal) => Promise<void>) {
  const { promise: begin, resolve } = Promise.withResolvers<void>();
  const failing: Part = {
    name: "the failing one",
    run: async (signal) => {
      await begin;
      await fail(signal);
    },
  };
  const [a, b, c] = abc(diary);
  return { parts: [a, failing, b, c], begin: resolve };
}

const reject = (error: unknown) => () => Promise.reject(error);

Deno.test("runParts() stops all when one fails, and throws what that one threw", async () => {
  const diary: string[] = [];
  const failure = new Error("no disk");
  const { parts, begin } = withFailing(diary, reject(failure));
  const running = runParts(parts, new AbortController().signal);
  begin();
  assertEquals(await assertRejects(() => running), failure);
  assertEquals(diary, [...ALL_RUN, ...ALL_STOP]);
});

Deno.test("runParts() takes a part that ends by itself for one that failed", async () => {
  const diary: string[] = [];
  const { parts, begin } = withFailing(diary, () => Promise.resolve());
  const running = runParts(parts, new AbortController().signal);
  begin();
  await assertRejects(() => running, Error, "Cannot continue: the failing one ended by itself");
  assertEquals(diary, [...ALL_RUN, ...ALL_STOP]);
});

Deno.test("runParts() throws the first failure, whatever fails while the others stop", async () => {
  const diary: string[] = [];
  const fail = () => {
    throw new Error("b cannot stop");
  };
  const parts = [
    part("a", diary),
    part("b", diary, fail),
    { name: "c", run: reject(new Error("no disk")) },
  ];
  await assertRejects(() => runParts(parts, new AbortController().signal), Error, "no disk");
  assertEquals(diary, ["a runs", "b runs", "b stops", "a stops", "a has ended"]);
});

Deno.test("runParts() stops the others to the end when one fails while it stops, and throws that", async () => {
  const diary: string[] = [];
  const fail = () => {
    throw new Error("b cannot stop");
  };
  const parts = [part("a", diary), part("b", diary, fail), part("c", diary)];
  const stop = new AbortController();
  const running = runParts(parts, stop.signal);
  stop.abort();
  await assertRejects(() => running, Error, "b cannot stop");
  assertEquals(diary, [...ALL_RUN, ...ALL_STOP.filter((line) => line !== "b has ended")]);
});

Deno.test("runParts() takes a part that throws before it waits for anything as one that rejects", async () => {
  const diary: string[] = [];
  const broken: Part = {
    name: "broken",
    run: () => {
      throw new Error("no disk");
    },
  };
  await assertRejects(
    () => runParts([part("a", diary), broken], new AbortController().signal),
    Error,
    "no disk",
  );
  assertEquals(diary, ["a runs", "a stops", "a has ended"]);
});

Deno.test("runParts() throws what is no error, even undefined, as a failure", async () => {
  const diary: string[] = [];
  const parts: Part[] = [part("a", diary), { name: "b", run: reject(undefined) }];
  const result = await runParts(parts, new AbortController().signal).then(() => "ended", () => "failed");
  assertEquals([result, diary.at(-1)], ["failed", "a has ended"]);
});

Deno.test("aborted() resolves for a signal that was aborted before, and for one that is aborted later", async () => {
  await aborted(AbortSignal.abort());
  const stop = new AbortController();
  const later = aborted(stop.signal);
  stop.abort();
  await later;
});
