import { assert, assertEquals, assertThrows } from "@std/assert";
import { openOutput, type Output } from "../../lib/haproxy/output.ts";
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
  const followed = output.follow((line, { isNew }) => {
    onLine(line);
    lines.push(line);
    if (isNew) newLines.push(line);
  }, stop.signal);
  const end = async () => {
    stop.abort();
    await followed;
    return lines;
  };
  return { lines, newLines, end };
}

const openAt = (path: string) => openOutput(path, { create: true });

Deno.test("openOutput() makes a file for its owner alone, and refuses what is none", async () => {
  await using file = await written();
  await Deno.remove(file.path);
  assertThrows(() => openOutput(file.path, { create: false }), Deno.errors.NotFound);
  openAt(file.path).close();
  assertEquals(((await Deno.stat(file.path)).mode ?? 0) & 0o777, 0o600);
  assertThrows(() => openAt("/dev/null"), Error, "is not a file");
});

Deno.test("follow() tells each line once, as it is written and at the end, also one without its end", async () => {
  await using file = await written();
  const { lines, end } = follow(openAt(file.path));
  file.write("one\ntw");
  await waitFor("a line", () => lines.length === 1);
  file.write("o\n");
  await waitFor("another", () => lines.length === 2);
  file.write("three\nfour");
  assertEquals(await end(), ["one", "two", "three", "four"]);
});

Deno.test("follow() goes on where the process before stopped, and tells what is new since begin()", async () => {
  await using file = await written();
  const first = follow(openAt(file.path));
  file.write("told\n");
  await first.end();
  file.write("meanwhile\nhal");
  const output = openAt(file.path);
  file.write("f\n");
  output.begin();
  file.write("new\n");
  const second = follow(output);
  assertEquals(await second.end(), ["meanwhile", "half", "new"]);
  assertEquals(second.newLines, ["new"]);
  assertEquals(await follow(openAt(file.path)).end(), []);
});

Deno.test("follow() tells nothing of a file that it has not read before, and all of one that was emptied", async () => {
  await using file = await written();
  file.write("old\n");
  assertEquals(await follow(openAt(file.path)).end(), []);
  await Deno.truncate(file.path);
  file.write("n\n");
  assertEquals(await follow(openAt(file.path)).end(), ["n"]);
});

Deno.test("follow() tells what was written after a process that had nothing to tell", async () => {
  await using file = await written();
  openAt(file.path).close();
  file.write("meanwhile\n");
  assertEquals(await follow(openAt(file.path)).end(), ["meanwhile"]);
});

Deno.test("follow() goes on with a file that somebody empties while it is read", async () => {
  await using file = await written();
  const output = openAt(file.path);
  file.write(`first\n${"x".repeat(MIB)}`);
  const { lines, end } = follow(output, (line) => line === "first" && Deno.truncateSync(file.path));
  await waitFor("the first line", () => lines.length > 0);
  file.write("after\n");
  await waitFor("a line of the new file", () => lines.includes("after"));
  assertEquals((await end()).map(({ length }) => length), [5, 4_096, 5]);
});

Deno.test("follow() empties a file that was read and is larger than its bound, and loses no line", async () => {
  await using file = await written();
  const { lines, end } = follow(openAt(file.path));
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
  assertEquals(await follow(openAt(file.path)).end(), ["later"]);
});

Deno.test("follow() reads a file that has grown for long, with a line of any length, in little memory", async () => {
  await using file = await written();
  const { lines, end } = follow(openAt(file.path));
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
