import { assertEquals } from "@std/assert";
import { createLineQueue } from "../../../lib/util/line_queue.ts";

/** A reader that takes nothing before `goOn()`. */
function stuckReader() {
  const { promise, resolve } = Promise.withResolvers<void>();
  let text = "";
  const write = async (chunk: Uint8Array) => {
    await promise;
    text += new TextDecoder().decode(chunk.subarray(0, 1));
    return 1;
  };
  return { write, goOn: resolve, text: () => text };
}

Deno.test("createLineQueue() writes lines in their order, however few bytes are taken at a time", async () => {
  const reader = stuckReader();
  const queue = createLineQueue({ write: reader.write, maxLength: 100, onLost: () => {} });
  queue.put("one\n");
  reader.goOn();
  queue.put("two\n");
  await queue.written();
  queue.put("three\n");
  await queue.written();
  assertEquals(reader.text(), "one\ntwo\nthree\n");
});

Deno.test("createLineQueue() keeps a limited amount for a stuck reader, and reports what it lost", async () => {
  const reader = stuckReader();
  const queue = createLineQueue({
    write: reader.write,
    maxLength: 8,
    onLost: (lines) => queue.put(`${lines} lost\n`),
  });
  for (const line of ["one\n", "two\n", "three\n", "four\n"]) queue.put(line);
  reader.goOn();
  await queue.written();
  queue.put("five\n");
  await queue.written();
  assertEquals(reader.text(), "one\ntwo\n2 lost\nfive\n");
});

Deno.test("createLineQueue() leaves one gap, and reports it in its place, when its reader is only slow", async () => {
  let text = "";
  const queue = createLineQueue({
    write: async (chunk) => {
      await Promise.resolve();
      text += new TextDecoder().decode(chunk);
      // There is room again, but lines before it are lost: it would come before the gap.
      if (text === "one\n") queue.put("4\n");
      return chunk.length;
    },
    maxLength: 8,
    onLost: (lines) => queue.put(`${lines} lost\n`),
  });
  for (const line of ["one\n", "two\n", "three\n"]) queue.put(line);
  await queue.written();
  queue.put("five\n");
  await queue.written();
  assertEquals(text, "one\ntwo\n2 lost\nfive\n");
});

Deno.test("createLineQueue() writes a line that is longer than all that may wait, when nothing waits", async () => {
  const reader = stuckReader();
  const queue = createLineQueue({ write: reader.write, maxLength: 2, onLost: () => {} });
  reader.goOn();
  for (const line of ["one\n", "two\n"]) {
    queue.put(line);
    await queue.written();
  }
  assertEquals(reader.text(), "one\ntwo\n");
});

Deno.test("createLineQueue() tries each line once while none can be written, and reports how many were lost when one can", async () => {
  const tried: string[] = [];
  let gone = true;
  const queue = createLineQueue({
    write: (chunk) => {
      tried.push(new TextDecoder().decode(chunk));
      return gone ? Promise.reject(new Deno.errors.BrokenPipe()) : Promise.resolve(chunk.length);
    },
    maxLength: 100,
    onLost: (lines) => queue.put(`${lines} lost\n`),
  });
  for (const line of ["one\n", "two\n"]) queue.put(line);
  await queue.written();
  assertEquals(tried, ["one\n", "two\n"]);
  gone = false;
  queue.put("three\n");
  await queue.written();
  assertEquals(tried.slice(2), ["three\n", "2 lost\n"]);
});

Deno.test("createLineQueue() writes together what waits together, in pieces of a bounded size", async () => {
  const pieces: string[] = [];
  const queue = createLineQueue({
    write: (chunk) => {
      pieces.push(new TextDecoder().decode(chunk));
      return Promise.resolve(chunk.length);
    },
    maxLength: 1_000_000,
    onLost: () => {},
  });
  const long = `${"x".repeat(4_000)}\n`;
  for (const line of ["one\n", "two\n", "three\n", long, long, "four\n"]) queue.put(line);
  await queue.written();
  assertEquals(pieces, ["one\n", `two\nthree\n${long}`, `${long}four\n`]);
});

Deno.test("createLineQueue() counts the lines that were not written whole", async () => {
  const lost: number[] = [];
  let room = "one\ntwo\nthr".length;
  const queue = createLineQueue({
    write: (chunk) => {
      const taken = Math.min(room, chunk.length);
      room -= taken;
      return taken === 0 ? Promise.reject(new Error("full")) : Promise.resolve(taken);
    },
    maxLength: 100,
    onLost: (lines) => lost.push(lines),
  });
  for (const line of ["one\n", "two\n", "three\n", "four\n"]) queue.put(line);
  await queue.written();
  room = 100;
  queue.put("five\n");
  await queue.written();
  assertEquals(lost, [2]);
});
