import { assertEquals, assertRejects } from "@std/assert";
import { createTurns, type TurnRank } from "../../../lib/register/turns.ts";

const SOME_TIME = { rank: "change", signal: new AbortController().signal } as const;

/** A call that runs until it is told to end. */
function openCall(started: string[], name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const call = () => {
    started.push(name);
    return promise;
  };
  return { call, end: () => resolve(name), fail: () => reject(new Error(name)) };
}

Deno.test("createTurns() lets so many calls run at once, and the others in their order", async () => {
  const inTurn = createTurns(2);
  const started: string[] = [];
  const [a, b, c, d] = [..."abcd"].map((name) => openCall(started, name));
  const results = [a, b, c, d].map((open) => open && inTurn(open.call, SOME_TIME));
  results[1]?.catch(() => {});
  assertEquals(started, ["a", "b"]);
  b?.fail();
  await assertRejects(async () => await results[1], Error, "b");
  a?.end();
  assertEquals(await results[0], "a");
  c?.end();
  d?.end();
  assertEquals(await Promise.all([results[2], results[3]]), ["c", "d"]);
  assertEquals(started, ["a", "b", "c", "d"]);
});

Deno.test("createTurns() lets a call that is aborted go without its turn", async () => {
  const inTurn = createTurns(1);
  const started: string[] = [];
  const [a, b, c] = [..."abc"].map((name) => openCall(started, name));
  const stop = new AbortController();
  const first = inTurn(a!.call, SOME_TIME);
  const second = inTurn(b!.call, { ...SOME_TIME, signal: stop.signal });
  const third = inTurn(c!.call, SOME_TIME);
  stop.abort(new Error("stopping"));
  await assertRejects(() => second, Error, "stopping");
  a!.end();
  c!.end();
  assertEquals([await first, await third, started], ["a", "c", ["a", "c"]]);
});

Deno.test("createTurns() keeps what is held first, then changes it, and begins nothing new before", async () => {
  const inTurn = createTurns(1);
  const started: string[] = [];
  const first = openCall(started, "first");
  const firstEnded = inTurn(first.call, SOME_TIME);
  const waiting: [string, TurnRank][] = [
    ["grant 1", "begin"],
    ["put 1", "change"],
    ["renew 1", "keep"],
    ["grant 2", "begin"],
    ["put 2", "change"],
    ["renew 2", "keep"],
  ];
  const ended = waiting.map(([name, rank]) => {
    const { call, end } = openCall(started, name);
    end();
    return inTurn(call, { ...SOME_TIME, rank });
  });
  first.end();
  await Promise.all([firstEnded, ...ended]);
  assertEquals(started, ["first", "renew 1", "renew 2", "put 1", "put 2", "grant 1", "grant 2"]);
});
