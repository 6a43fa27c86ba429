import { assertEquals, assertRejects } from "@std/assert";
import { createTurns } from "../../../lib/etcd/turns.ts";

const FOREVER = new AbortController().signal;

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
  const results = [a, b, c, d].map((open) => open && inTurn(open.call, FOREVER));
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
  const first = inTurn(a!.call, FOREVER);
  const second = inTurn(b!.call, stop.signal);
  const third = inTurn(c!.call, FOREVER);
  stop.abort(new Error("stopping"));
  await assertRejects(() => second, Error, "stopping");
  a!.end();
  c!.end();
  assertEquals([await first, await third, started], ["a", "c", ["a", "c"]]);
});
