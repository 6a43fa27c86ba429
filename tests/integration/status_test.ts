import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { findProgram, startEtcdCluster, startProcess, tempDir, waitFor } from "../support/mod.ts";
import { controllerCommand, testNode } from "../support/node.ts";
import { runProgram } from "../support/program.ts";

const PREFIX = "/haproxy/nodes/";

async function setting() {
  const etcd = await startEtcdCluster({ members: 1 });
  const put = (key: string, value: string) => etcd.put(key, value);
  return {
    etcd,
    put,
    applied: (node: string, revision: number) => put(`${PREFIX}${node}/applied`, `${revision}`),
    revision: async () => Number(await etcd.revision()),
    status: (...args: string[]) => runProgram(["status", "--endpoints", etcd.endpoints.join(), ...args]),
    async [Symbol.asyncDispose]() {
      await etcd[Symbol.asyncDispose]();
    },
  };
}

Deno.test("status shows every node in a table or as JSON, and waits until all of them serve the newest change", async () => {
  await using place = await setting();
  await using first = await testNode({ endpoints: place.etcd.endpoints, args: ["--node-id", "lb1"] });
  await using second = await testNode({ endpoints: place.etcd.endpoints, args: ["--node-id", "lb2"] });
  first.start();
  second.start();
  await Promise.all(
    [first, second].map((node) =>
      waitFor(
        "the node's keys",
        () => node.controller.lines.some((line) => line.includes("node keys published")),
        {
          deadlineMs: 30_000,
        },
      )
    ),
  );
  await place.put("/services/backend/gone", "127.0.0.1:9");
  await place.put("/services/backend/one", "127.0.0.1:9");
  await place.etcd.delete("/services/backend/gone");
  const waited = await place.status("--wait", "--json", "--timeout", "60s");
  assertEquals([waited.code, waited.stderr], [0, ""]);
  const { nodes, revision } = JSON.parse(waited.stdout);
  assertEquals(nodes.map(({ node }: { node: string }) => node), ["lb1", "lb2"]);
  assert(nodes.every(({ applied }: { applied: number }) => applied <= revision && applied > 0));

  const table = await place.status();
  assertEquals(table.code, 0);
  assertMatch(table.stdout, /^NODE +REVISION +LAG +UP +PLAN .*\nlb1 +\d+ .*\nlb2 +\d+ .*\n$/);
});

Deno.test("status --wait exits with 1 and names the nodes that are behind", async () => {
  await using place = await setting();
  await place.put("/services/backend/one", "127.0.0.1:9");
  const revision = await place.revision();
  await place.applied("lb1", revision);
  await place.applied("lb2", revision - 1);
  for (const args of [["--wait"], ["--wait", `${revision}`]]) {
    const result = await place.status(...args, "--timeout", "1s");
    assertEquals(result.code, 1);
    assertEquals(
      result.stderr,
      `etcd-haproxy: revision ${revision} is not applied everywhere: lb2 has applied revision ${
        revision - 1
      }\n`,
    );
    assertMatch(result.stdout, /lb1 .*\nlb2 /);
  }
});

Deno.test("status --wait --timeout 0 tells whether the newest change is served now", async () => {
  await using place = await setting();
  await place.put("/services/backend/one", "127.0.0.1:9");
  const revision = await place.revision();
  await place.applied("lb1", revision);
  await place.put("/other", "x");
  assertEquals((await place.status("--wait", "--timeout", "0")).code, 0);
  await place.put("/services/backend/two", "127.0.0.1:9");
  await place.put("/other", "y");
  const behind = await place.status("--wait", "--timeout", "0");
  assertEquals(behind.code, 1);
  assertStringIncludes(behind.stderr, `lb1 has applied revision ${revision}\n`);
});

Deno.test("status --wait counts changes of other keys against no node", async () => {
  await using place = await setting();
  await place.put("/services/backend/one", "127.0.0.1:9");
  await place.applied("lb1", await place.revision());
  await place.put("/other", "x");
  await place.put("/other", "y");
  assertEquals((await place.status("--wait", "--timeout", "20s")).code, 0);
  assertEquals((await place.status("--wait", `${await place.revision()}`, "--timeout", "20s")).code, 0);
});

Deno.test("status --wait fails at once when no node is alive, and for a revision that the store has not reached", async () => {
  await using place = await setting();
  const nobody = await place.status("--wait", "--timeout", "60s");
  assertEquals(nobody.code, 1);
  assertStringIncludes(nobody.stderr, "no node is alive");
  await place.applied("lb1", 1);
  const restored = await place.status("--wait", "1000000", "--timeout", "60s");
  assertEquals(restored.code, 1);
  assertMatch(
    restored.stderr,
    /^etcd-haproxy: Cannot wait for revision 1000000: the store is at revision \d+, so it is another store or was restored\n$/,
  );
});

Deno.test("status fails in one line when etcd is away", async () => {
  await using place = await setting();
  await place.etcd.member(0).kill();
  const result = await place.status("--wait");
  assertEquals([result.code, result.stdout], [1, ""]);
  assertMatch(result.stderr, /^etcd-haproxy: Cannot read the nodes' keys from [^\n]+\n$/);
});

Deno.test("status names nodes whose keys have no lease", async () => {
  await using place = await setting();
  const lease = (await place.etcd.etcdctl("lease", "grant", "600")).split(" ")[1] ?? "";
  await place.etcd.etcdctl("put", `--lease=${lease}`, `${PREFIX}lb1/applied`, "1");
  await place.applied("lb2", 1);
  const { stdout } = await place.status();
  assertMatch(stdout, /^lb2 has keys without a lease: it counts as alive until they are deleted$/m);
  assert(!stdout.includes("lb1 has keys"));
  const { nodes } = JSON.parse((await place.status("--json")).stdout);
  assertEquals(nodes.map(({ hasLease }: { hasLease: boolean }) => hasLease), [true, false]);
});

Deno.test("status shows hostile keys and values without obeying them", async () => {
  await using place = await setting();
  await place.put(`${PREFIX}lb1/status`, "\x1b]0;owned\x07");
  await place.put(`${PREFIX}\x1b[2J/applied`, "1");
  const result = await place.status();
  assertEquals(result.code, 0);
  assertStringIncludes(result.stdout, "cannot read /haproxy/nodes/\\x1b[2J/applied: key is not");
  assertMatch(result.stdout, /^[\x20-\x7e\n]*$/);
});

Deno.test("status --watch shows each change as a plain table where there is no terminal, and ends on SIGINT", async () => {
  await using place = await setting();
  await place.applied("lb1", 1);
  const { command, args } = controllerCommand();
  await using watching = startProcess({
    name: "status",
    command,
    args: [...args, "status", "--watch", "--endpoints", place.etcd.endpoints.join()],
  });
  await waitFor("the node", () => watching.lines.some((line) => /^lb1 +1 /.test(line)), {
    deadlineMs: 30_000,
  });
  await place.applied("lb1", 2);
  await waitFor("the change", () => watching.lines.some((line) => /^lb1 +2 /.test(line)));
  watching.kill("SIGINT");
  assertEquals((await watching.status).code, 0);
  assert(watching.lines.every((line) => !line.includes("\x1b")));
});

const SCRIPT = findProgram("script");

Deno.test({
  name:
    "status --watch shows changes in place on a terminal, and gives the screen back on Ctrl-C (needs script)",
  ignore: SCRIPT === undefined,
  fn: async () => {
    await using place = await setting();
    await using dir = await tempDir();
    await place.applied("lb1", 1);
    const { command, args } = controllerCommand();
    // Without exec the shell stays between, and Ctrl-C ends it too: its exit code would be 130.
    const words = ["exec", command, ...args, "status", "--watch", "--endpoints", place.etcd.endpoints.join()];
    const seen = `${dir.path}/seen`;
    const terminal = new Deno.Command(SCRIPT ?? "", {
      args: ["-qfec", words.join(" "), seen],
      env: { TERM: "xterm" },
      stdin: "piped",
      stdout: "null",
    }).spawn();
    const keyboard = terminal.stdin.getWriter();
    const screen = () => Deno.readTextFile(seen);
    await waitFor("the node", async () => /\nlb1 +1 /.test(await screen()), { deadlineMs: 30_000 });
    await place.applied("lb1", 2);
    await waitFor("the change", async () => /\nlb1 +2 /.test(await screen()), { deadlineMs: 30_000 });
    await keyboard.write(Uint8Array.of(0x03));
    assertEquals((await terminal.status).code, 0);
    await keyboard.close().catch(() => {});
    const text = await screen();
    assertEquals(text.split("\x1b[?1049h").length, 2);
    assertStringIncludes(text, "\x1b[?25h\x1b[?1049l");
  },
});
