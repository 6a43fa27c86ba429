import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type ProcessOptions, startProcess, tempDir, waitFor } from "../../../support/mod.ts";

function shell(script: string, more: Partial<ProcessOptions> = {}) {
  return startProcess({ name: "sh", command: "/bin/sh", args: ["-c", script], ...more });
}

Deno.test("startProcess() keeps the last lines and writes all to the log file", async () => {
  await using dir = await tempDir();
  const logFile = `${dir.path}/log`;
  await using child = shell("echo one; echo two; printf three", { keepLines: 2, logFile });
  assertEquals((await child.status).code, 0);
  assertEquals(child.lines, ["two", "three"]);
  assertEquals(await Deno.readTextFile(logFile), "sh | one\nsh | two\nsh | three\n");
});

Deno.test("LocalProcess.stop() ends by SIGKILL what ignores SIGTERM", async () => {
  await using child = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
  await waitFor("the trap", () => child.lines.includes("ready"));
  const status = await child.stop({ deadlineMs: 100 });
  assertEquals(status.signal, "SIGKILL");
});

Deno.test("LocalProcess.stop() lets a frozen process end in its own way", async () => {
  await using child = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done");
  await waitFor("the trap", () => child.lines.includes("ready"));
  child.freeze();
  assertEquals((await child.stop({ deadlineMs: 30_000 })).code, 7);
});

Deno.test("LocalProcess ends although a grandchild holds its output", async () => {
  await using child = shell("sleep 60 & echo $!; trap 'exit 0' TERM; wait");
  const grandchild = await waitFor("the grandchild", () => Number(child.lines[0]));
  assertEquals((await child.stop({ deadlineMs: 30_000 })).code, 0);
  Deno.kill(grandchild, "SIGKILL");
});

Deno.test("startProcess() tells of an unexpected end, and of no other", async () => {
  const told: string[] = [];
  const onUnexpectedExit = () => told.push("ended");
  await shell("exit 3", { onUnexpectedExit }).status;
  assertEquals(told, ["ended"]);
  await shell("exec sleep 60", { onUnexpectedExit }).stop();
  assertEquals(told, ["ended"]);
});

Deno.test("startProcess() says which process cannot be started", () => {
  const start = () => startProcess({ name: "lb1", command: "/nonexistent", args: [] });
  assertThrows(start, Error, "Cannot start lb1");
});

Deno.test("tempDir() is removed with its files", async () => {
  const dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/file`, "");
  await dir[Symbol.asyncDispose]();
  await assertRejects(() => Deno.stat(dir.path), Deno.errors.NotFound);
  assert(dir.path.length <= 60);
});
