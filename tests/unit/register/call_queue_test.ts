import { assertEquals, assertRejects } from "@std/assert";
import { type CallQueue, createCallQueue } from "../../../lib/register/call_queue.ts";

type Kind = Parameters<CallQueue>[1]["kind"];

const { signal } = new AbortController();

/** A call that runs until it is told to end. */
function openCall(started: string[], name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const call = () => {
    started.push(name);
    return promise;
  };
  return { call, end: () => resolve(name), fail: () => reject(new Error(name)) };
}

Deno.test("createCallQueue() lets so many calls run at once, and a failure hands its place on", async () => {
  const queue = createCallQueue(2);
  const started: string[] = [];
  const [a, b, c, d] = [..."abcd"].map((name) => openCall(started, name));
  const results = [a, b, c, d].map((open) => open && queue(open.call, { kind: "put", signal }));
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

Deno.test("createCallQueue() lets an aborted call leave at once, without its turn", async () => {
  const queue = createCallQueue(1);
  const started: string[] = [];
  const [a, b, c] = [..."abc"].map((name) => openCall(started, name));
  const stop = new AbortController();
  const first = queue(a!.call, { kind: "put", signal });
  const second = queue(b!.call, { kind: "put", signal: stop.signal });
  const third = queue(c!.call, { kind: "put", signal });
  stop.abort(new Error("stopping"));
  await assertRejects(() => second, Error, "stopping");
  a!.end();
  c!.end();
  assertEquals([await first, await third, started], ["a", "c", ["a", "c"]]);
});

Deno.test("createCallQueue() renews existing leases first, then changes keys, then grants leases", async () => {
  const queue = createCallQueue(1);
  const started: string[] = [];
  const first = openCall(started, "first");
  const firstEnded = queue(first.call, { kind: "grant", signal });
  const kinds: Kind[] = ["grant", "put", "renew", "grant", "check", "renew", "withdraw"];
  const ended = kinds.map((kind, index) => {
    const { call, end } = openCall(started, `${kind} ${index}`);
    end();
    return queue(call, { kind, signal });
  });
  first.end();
  await Promise.all([firstEnded, ...ended]);
  assertEquals(
    started,
    ["first", "renew 2", "renew 5", "put 1", "check 4", "withdraw 6", "grant 0", "grant 3"],
  );
});
