import { assertEquals, assertRejects } from "@std/assert";
import { basename } from "node:path";
import { ControllerError } from "../../lib/util/errors.ts";
import { openStateDir } from "../../lib/haproxy/state/dir.ts";
import { createStateFiles } from "../../lib/haproxy/state/files.ts";
import { createStateKeeper, type StateDirSeen } from "../../lib/haproxy/state/keeper.ts";
import { startEtcdCluster, tempDir, waitFor } from "../support/mod.ts";
import { testNode } from "../support/node.ts";

/** A state directory in which an earlier run left its last good configuration, and this one has a guard's record. */
async function openUsed(path: string) {
  await Deno.mkdir(path);
  await Deno.writeTextFile(`${path}/last-good.cfg`, "good");
  const open = await openStateDir(path);
  await open.files.replace(open.dir.guard, "{}");
  return open;
}

async function contents(path: string): Promise<Record<string, string>> {
  const names = (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
  const texts = names.map(async (name) => [name, await Deno.readTextFile(`${path}/${name}`)] as const);
  return Object.fromEntries(await Promise.all(texts));
}

const ALL = { "guard.json": "{}", "last-good.cfg": "good", "lock": "" };

Deno.test("openStateDir() makes a directory again that was removed, locked as before", async () => {
  await using temp = await tempDir();
  const path = `${temp.path}/state`;
  const open = await openUsed(path);
  assertEquals(await open.restore(), []);
  await Deno.remove(path, { recursive: true });
  assertEquals((await open.restore()).map((file) => basename(file)).sort(), Object.keys(ALL));
  assertEquals(await contents(path), ALL);
  assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o700);
  await assertRejects(() => openStateDir(path), ControllerError, "another controller holds its lock");
  assertEquals(await open.restore(), []);
  open.release();
  (await openStateDir(path)).release();
});

Deno.test("openStateDir() locks a directory that was recreated by others, and restores only the missing files", async () => {
  await using temp = await tempDir();
  const path = `${temp.path}/state`;
  const open = await openUsed(path);
  await Deno.remove(path, { recursive: true });
  await Deno.mkdir(path, { mode: 0o755 });
  await Deno.writeTextFile(`${path}/last-good.cfg`, "other");
  assertEquals((await open.restore()).map((file) => basename(file)), ["lock", "guard.json"]);
  assertEquals(await contents(path), { ...ALL, "last-good.cfg": "other" });
  assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o700);
  open.release();
});

Deno.test("openStateDir() says so when another controller has made the directory again and holds it", async () => {
  await using temp = await tempDir();
  const path = `${temp.path}/state`;
  const open = await openUsed(path);
  await Deno.remove(path, { recursive: true });
  const other = await openStateDir(path);
  await assertRejects(() => open.restore(), ControllerError, "another controller holds its lock");
  other.release();
  await open.restore();
  open.release();
});

Deno.test("createStateFiles() does not write over what is replaced while it makes a file again", async () => {
  await using temp = await tempDir();
  const path = `${temp.path}/guard.json`;
  const files = createStateFiles();
  // What is longer takes longer.
  await files.replace(path, "old".repeat(1_000_000));
  await Deno.remove(path);
  await Promise.all([files.restore(), files.replace(path, "new")]);
  assertEquals(await Deno.readTextFile(path), "new");
});

Deno.test("createStateKeeper() makes the directory again while it runs, and tells for how long it cannot", async () => {
  await using temp = await tempDir();
  const path = `${temp.path}/state`;
  const open = await openUsed(path);
  const seen: StateDirSeen[] = [];
  const keeper = createStateKeeper(open, (next) => next.kind !== seen.at(-1)?.kind && seen.push(next));
  const stop = new AbortController();
  const running = keeper.run(stop.signal);
  try {
    await waitFor("a look", () => seen.length === 1);
    // Nothing is made again in between.
    Deno.removeSync(path, { recursive: true });
    Deno.writeTextFileSync(path, "");
    await waitFor("a loss", () => seen.at(-1)?.kind === "lost");
    await assertRejects(() => keeper.ensure(), ControllerError, `Cannot use state directory ${path}`);
    await Deno.remove(path);
    await Promise.all([keeper.ensure(), keeper.ensure()]);
    assertEquals([seen.at(-1)?.kind === "lost", await contents(path)], [false, ALL]);
    await waitFor("another look", () => seen.at(-1)?.kind === "there");
    assertEquals(seen.map(({ kind }) => kind), ["there", "lost", "made-again", "there"]);
  } finally {
    stop.abort();
    await running;
    open.release();
  }
});

Deno.test("a node whose state directory cannot be made again ends as it is asked to", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  const controller = node.start();
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  // It must not be made again in between.
  controller.freeze();
  await Deno.remove(`${node.dir}/state`, { recursive: true });
  await Deno.writeTextFile(`${node.dir}/state`, "");
  controller.resume();
  await node.untilLine(/state directory was removed and cannot be recreated/);
  const { code } = await controller.stop({ deadlineMs: 30_000 });
  assertEquals(code, 0, controller.lines.join("\n"));
});
