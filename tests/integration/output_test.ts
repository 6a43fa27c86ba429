import { assert, assertEquals, assertThrows } from "@std/assert";
import { createOutput, type Output } from "../../lib/haproxy/output.ts";
import { tempDir, waitFor } from "../support/mod.ts";

const MIB = 1 << 20;

/** A file as HAProxy writes to it. */
async function written() {
  const dir = await tempDir();
  const path = `${dir.path}/haproxy.stderr`;
  const open = Deno.openSync(path, { append: true, create: true });
  return {
    path,
    write: (text: string) => void open.writeSync(new TextEncoder().encode(text)),
    size: () => open.statSync().size,
    [Symbol.asyncDispose]: async () => {
      open.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function follow(output: Output, onLine: (line: string) => void = () => {}) {
  const lines: string[] = [];
  const newLines: string[] = [];
  const stop = new AbortController();
  const followed = output.follow((line, isNew) => {
    onLine(line);
    lines.push(line);
    if (isNew) newLines.push(line);
  }, { create: true, signal: stop.signal });
  const end = async () => {
    stop.abort();
    await followed;
    return lines;
  };
  return { lines, newLines, end };
}

Deno.test("follow() makes a file for its owner alone, and refuses what is none", async () => {
  await using file = await written();
  await Deno.remove(file.path);
  const { signal } = new AbortController();
  const open = () => createOutput(file.path).follow(() => {}, { create: false, signal });
  assertThrows(open, Deno.errors.NotFound);
  await follow(createOutput(file.path)).end();
  assertEquals(((await Deno.stat(file.path)).mode ?? 0) & 0o777, 0o600);
  assertThrows(() => follow(createOutput("/dev/null")), Error, "is not a file");
});

Deno.test("follow() tells each line once, as it is written and at the end, also one without its end", async () => {
  await using file = await written();
  const { lines, end } = follow(createOutput(file.path));
  file.write("one\n\ntw");
  await waitFor("a line", () => lines.length === 1);
  file.write("o\n");
  await waitFor("another", () => lines.length === 2);
  file.write("three\nfour");
  assertEquals(await end(), ["one", "two", "three", "four"]);
});

Deno.test("follow() tells a line and a character whole that are read in two pieces", async () => {
  await using file = await written();
  const { end } = follow(createOutput(file.path));
  // The first byte of the é is the last one of a piece of 16 KiB.
  file.write(`${"x\n".repeat(8_191)}yé\n`);
  assertEquals((await end()).at(-1), "yé");
});

Deno.test("follow() begins where it stopped, and tells what is new since it began", async () => {
  await using file = await written();
  const output = createOutput(file.path);
  const first = follow(output);
  file.write("told\n");
  await first.end();
  file.write("meanwhile\nhal");
  const second = follow(output);
  file.write("f\nnew\n");
  assertEquals(await second.end(), ["meanwhile", "half", "new"]);
  assertEquals(second.newLines, ["half", "new"]);
  assertEquals(await follow(output).end(), []);
});

Deno.test("follow() begins with all of another file, and of one that was emptied", async () => {
  await using file = await written();
  const output = createOutput(file.path);
  file.write("old\n");
  assertEquals(await follow(output).end(), ["old"]);
  await Deno.truncate(file.path);
  file.write("n\n");
  assertEquals(await follow(output).end(), ["n"]);
  await Deno.remove(file.path);
  await Deno.writeTextFile(file.path, "another\n");
  assertEquals(await follow(output).end(), ["another"]);
});

Deno.test("follow() of another controller tells the last lines again, none of them as new, and says how many", async () => {
  await using file = await written();
  const old = Array.from({ length: 5_000 }, (_, i) => `${i} ${"x".repeat(50)}`);
  file.write(`${old.join("\n")}\n`);
  const size = file.size();
  const told: { read: number; skipped: number }[] = [];
  const { newLines, end } = follow(createOutput(file.path, (bytes) => told.push(bytes)));
  file.write("new\n");
  const lines = await end();
  assertEquals(lines.slice(0, -1), old.slice(old.length - lines.length + 1));
  assertEquals([lines.at(-1), newLines], ["new", ["new"]]);
  const [{ read, skipped } = { read: 0, skipped: 0 }] = told;
  assertEquals([told.length, read + skipped], [1, size]);
  assert(read <= 64 << 10 && read > 63 << 10, `${read} bytes`);
});

Deno.test("follow() says nothing of what is old when there is nothing", async () => {
  await using file = await written();
  const told: unknown[] = [];
  await follow(createOutput(file.path, (bytes) => told.push(bytes))).end();
  assertEquals(told, []);
});

Deno.test("follow() continues with a file that is emptied while it is read", async () => {
  await using file = await written();
  const { lines, end } = follow(
    createOutput(file.path),
    (line) => line === "first" && Deno.truncateSync(file.path),
  );
  file.write(`first\n${"x".repeat(MIB)}`);
  await waitFor("the first line", () => lines.length > 0);
  file.write("after\n");
  await waitFor("a line of the new file", () => lines.includes("after"));
  assertEquals((await end()).map(({ length }) => length), [5, 4_096, 5]);
});

Deno.test("follow() empties a file that was read and is larger than its bound, and loses no line", async () => {
  await using file = await written();
  const output = createOutput(file.path);
  const { lines, end } = follow(output);
  const expected: string[] = [];
  for (let i = 0; file.size() <= MIB; i++) {
    const chunk = Array.from({ length: 1_000 }, (_, j) => `${i} ${j} ${"x".repeat(50)}`);
    expected.push(...chunk);
    file.write(`${chunk.join("\n")}\n`);
  }
  file.write("begun");
  await waitFor("all lines", () => lines.length === expected.length);
  assert(file.size() > MIB);
  file.write(" and ended\n");
  await waitFor("an empty file", () => file.size() === 0);
  file.write("after\n");
  assertEquals(await end(), [...expected, "begun and ended", "after"]);
  file.write("later\n");
  assertEquals(await follow(output).end(), ["later"]);
});

Deno.test("follow() reads a file that has grown for long, with a line of any length, in little memory", async () => {
  await using file = await written();
  const { lines, end } = follow(createOutput(file.path));
  // Of this thread alone: files that are tested beside this one share the process.
  const held = () => {
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  };
  const before = held();
  await Deno.truncate(file.path, 64 * MIB);
  file.write("\nafter\n");
  await waitFor("the last line", () => lines.length === 2, { deadlineMs: 15_000 });
  assert(held() - before < 48 * MIB);
  assertEquals((await end()).map(({ length }) => length), [4_096, 5]);
});
