import { assert, assertEquals } from "@std/assert";
import { ask } from "../../lib/haproxy/socket.ts";
import { makeHaproxyTalk } from "../support/haproxy_faults.ts";
import { eventsOf, untilEvent } from "../support/journal.ts";
import { startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { type TestNode, testNode } from "../support/node.ts";

/** What HAProxy says when it is told to change something is logged at this level. */
const DEBUG = ["--log-level", "debug"];

async function talkingNode() {
  const closing = new AsyncDisposableStack();
  const etcd = closing.use(await startEtcdCluster({ members: 1 }));
  const node = closing.use(await testNode({ endpoints: etcd.endpoints, args: DEBUG }));
  for (const name of ["one", "two"]) {
    const origin = closing.use(startOrigin(name));
    await etcd.put(`/services/backend/${name}`, origin.address);
  }
  return { node, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

async function untilRight(node: TestNode): Promise<void> {
  await node.untilServers("backend", ["one", "two"]);
  await node.untilState("readiness", ({ readiness }) => readiness.ready && readiness.stale === false);
}

function downAndUp(node: TestNode, server: string): Promise<string> {
  return ask(node.runtimeSocket, `disable server backend/${server};enable server backend/${server}`);
}

/** How often the log of the running controller says that a server went down for maintenance. */
function timesDown(node: TestNode, server: string): number {
  return node.controller.lines.filter((line) => line.includes(`Server backend/${server} is going DOWN`))
    .length;
}

Deno.test("what HAProxy says while no controller runs is logged by the next one, with what it said last before", async () => {
  await using stack = await talkingNode();
  const { node } = stack;
  node.start();
  await untilRight(node);
  await downAndUp(node, "one");
  await waitFor("the line in the log", () => timesDown(node, "one") === 1);
  node.controller.kill("SIGKILL");
  await node.controller.status;
  await downAndUp(node, "one");
  await downAndUp(node, "one");

  node.start();
  await untilRight(node);
  await downAndUp(node, "two");
  await waitFor("the newest line in the log", () => timesDown(node, "two") === 1);
  assertEquals(timesDown(node, "one"), 3);
  await node.untilLine(/reading older haproxy output.* skipped=0/);
  assert((await node.state()).haproxy.adopted);
});

Deno.test("what HAProxy said before the controller started is no news of health", async () => {
  await using stack = await talkingNode();
  const { node } = stack;
  node.start();
  await untilRight(node);
  node.controller.kill("SIGKILL");
  await node.controller.status;
  const file = `${node.dir}/state/haproxy.stderr`;
  const down = (server: string) =>
    Deno.writeTextFile(
      file,
      `[WARNING]  (1) : Server backend/${server} is DOWN, reason: Layer4 timeout, check duration: 9ms.\n`,
      { append: true },
    );
  await down("one");

  node.start();
  await untilRight(node);
  await down("two");
  await untilEvent(node, { kind: "server-down", server: "two" });
  await node.untilLine(/Server backend\/one is DOWN/);
  const events = await eventsOf(node);
  assertEquals(events.filter(({ kind }) => kind === "server-down").map(({ server }) => server), ["two"]);
});

Deno.test("of very much that HAProxy said while no controller ran, the end is logged", async () => {
  await using stack = await talkingNode();
  const { node } = stack;
  const start = () => node.start({ args: ["--log-level", "info"] });
  start();
  await untilRight(node);
  node.controller.kill("SIGKILL");
  await node.controller.status;
  const lines = Array.from(
    { length: 20_000 },
    (_, i) => `[WARNING]  (1) : ${"x".repeat(100)} line ${i} of many\n`,
  );
  await Deno.writeTextFile(`${node.dir}/state/haproxy.stderr`, lines.join(""), { append: true });

  start();
  await node.untilLine(/reading older haproxy output/);
  await node.untilLine(/line 19999 of many/);
  const has = (text: string) => node.controller.lines.some((line) => line.includes(text));
  assertEquals([has("line 19700 of many"), has("line 1000 of many"), has("log lines lost")], [
    true,
    false,
    false,
  ]);
});

Deno.test("the file of what HAProxy says is its owner's alone, and emptied when it was read", async () => {
  await using stack = await talkingNode();
  const { node } = stack;
  const file = `${node.dir}/state/haproxy.stderr`;
  node.start({ args: ["--log-level", "error"] });
  await untilRight(node);
  assertEquals(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
  const sizes: number[] = [];
  for (let i = 0; i < 6; i++) {
    await makeHaproxyTalk(node, "backend/one");
    sizes.push((await Deno.stat(file)).size);
  }
  assert(Math.max(...sizes) > 1 << 20, sizes.join());
  await waitFor("an empty file", async () => (await Deno.stat(file)).size === 0);
});

Deno.test("HAProxy serves where what it says cannot be kept, and the log tells why", async () => {
  await using stack = await talkingNode();
  const { node } = stack;
  await Deno.mkdir(`${node.dir}/state/haproxy.stderr`, { recursive: true });
  node.start();
  await untilRight(node);
  assertEquals((await node.request()).status, 200);
  const { lines } = node.controller;
  assert(lines.some((line) => line.includes("haproxy output is not logged reason=")), lines.join("\n"));
});
