// The runner itself, on test files that are made for it.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { startProcess, type TempDir, tempDir, waitFor } from "../../../support/mod.ts";

const RUNNER = fileURLToPath(new URL("../../../../tools/test.ts", import.meta.url));

function startRunner(args: readonly string[]) {
  return startProcess({
    name: "runner",
    command: Deno.execPath(),
    args: ["run", "-A", RUNNER, "unit", ...args],
    // In sessions and groups of its own, as from a shell.
    detached: true,
  });
}

async function withTests(code: string): Promise<TempDir> {
  const dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/made_test.ts`, code);
  return dir;
}

Deno.test("a run whose tests pass ends with Deno's summary and with 0", async () => {
  await using dir = await withTests(`
    Deno.test("passes", () => {});
    Deno.test({ name: "waits (skipped: no reason)", ignore: true, fn: () => {} });
  `);
  await using runner = startRunner([dir.path]);
  assertEquals((await runner.status).code, 0);
  assertMatch(runner.lines.at(-1) ?? "", /^ok \| 1 passed \| 0 failed \| 1 ignored \(/);
  assert(
    runner.lines.some((line) => line.startsWith("  waits (skipped: no reason)")),
    runner.lines.join("\n"),
  );
});

Deno.test("a run with a test that fails shows why and ends with 1", async () => {
  await using dir = await withTests(`Deno.test("fails", () => { throw new Error("the reason"); });`);
  await using runner = startRunner([dir.path]);
  assertEquals((await runner.status).code, 1);
  assert(runner.lines.some((line) => line.includes("error: Error: the reason")), runner.lines.join("\n"));
  assertMatch(runner.lines.join("\n"), /^FAILED \| 0 passed \| 1 failed/m);
});

Deno.test("a run that ran no test fails", async () => {
  await using dir = await withTests(`Deno.test("passes", () => {});`);
  await using runner = startRunner([dir.path, "--filter", "another"]);
  assertEquals((await runner.status).code, 1);
  assertMatch(runner.lines.join("\n"), /no test ran/);
});

Deno.test("a run that is interrupted ends every process that its tests started", async () => {
  await using pids = await tempDir();
  await using dir = await withTests(`
    const script = "trap '' INT TERM; sleep 60 & echo $! >$1; mv $1 $1.pid; wait";
    async function start(name, detached) {
      // The last argument tells that this session belongs to the run, as the places of etcd and HAProxy do.
      const args = ["-c", script, "sh", ${JSON.stringify(pids.path)} + "/" + name, Deno.makeTempDirSync()];
      await new Deno.Command("sh", { args, detached }).spawn().status;
    }
    Deno.test("starts processes and waits", async () => {
      await Promise.all([start("same", false), start("own", true)]);
    });
  `);
  await using runner = startRunner([dir.path]);
  const started = await Promise.all(["same", "own"].map((name) =>
    waitFor(`the process ${name}`, async () => {
      return Number(await Deno.readTextFile(`${pids.path}/${name}.pid`));
    })
  ));
  runner.kill("SIGINT");
  assertEquals((await runner.status).code, 130);
  for (const pid of started) await waitFor(`the end of ${pid}`, () => hasEnded(pid));
});

async function hasEnded(pid: number): Promise<boolean> {
  try {
    return / Z /.test(await Deno.readTextFile(`/proc/${pid}/stat`));
  } catch {
    return true;
  }
}
