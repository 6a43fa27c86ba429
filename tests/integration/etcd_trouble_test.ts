import { assert, assertEquals } from "@std/assert";
import { pickPort, startEtcdCluster, startOrigin, tempDir, waitFor } from "../support/mod.ts";
import { testNode } from "../support/node.ts";

Deno.test("etcd that starts after the controller is waited for, and said so", async () => {
  const port = pickPort();
  await using dir = await tempDir();
  await using node = await testNode({ endpoints: [`http://127.0.0.1:${port}`] });
  await using one = startOrigin("one");
  node.start();
  const waiting = await node.untilState(
    "HAProxy without etcd",
    ({ haproxy, etcd }) => haproxy.kind === "up" && etcd.kind === "lost",
  );
  assertEquals(waiting.readiness.ready, false);
  assertEquals((await node.request()).status, 503);
  await node.untilLine(/waiting for etcd/);

  await using etcd = await startEtcdCluster({ members: 1, clientPorts: [port], dir: dir.path });
  await etcd.put("/services/backend/one", one.address);
  await node.untilAnswer("one");
});

Deno.test("the member that the controller watches is killed, and changes keep arriving", async () => {
  await using etcd = await startEtcdCluster({ members: 3 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  node.start();
  await node.untilState("a watch", ({ etcd }) => etcd.kind === "watching");
  // Whichever member is watched, after both rounds it was killed once.
  for (const [index, member] of etcd.members.slice(0, 2).entries()) {
    await member.kill();
    await etcd.leader();
    await etcd.put(`/services/backend/r${index}`, one.address);
    await node.untilState(
      `r${index}`,
      ({ services }) => services[0]?.servers.some(({ id }) => id === `r${index}`) === true,
    );
    await member.start();
  }
  await node.untilServers("backend", ["r0", "r1"]);
});

Deno.test("a watch that comes back after a compaction reads everything again", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await etcd.put("/services/backend/old", "127.0.0.1:9001");
  const controller = node.start();
  await node.untilServers("backend", ["old"]);
  await node.untilState("a watch", ({ etcd }) => etcd.kind === "watching");

  controller.freeze();
  const member = etcd.member(0);
  await member.stop();
  await member.start();
  await etcd.delete("/services/backend/old");
  await etcd.put("/services/backend/new", "127.0.0.1:9002");
  for (let i = 0; i < 5; i++) await etcd.put("/elsewhere", String(i));
  const status = await etcd.etcdctl("endpoint", "status", "-w", "fields");
  const revision = /"Revision" : (\d+)/.exec(status)?.[1];
  assert(revision !== undefined);
  await etcd.etcdctl("compact", revision);
  controller.resume();

  await node.untilServers("backend", ["new"]);
  const read = await waitFor(
    "a second read",
    () => controller.lines.find((line) => /registry read .*compacted/.test(line)),
  );
  assert(read.includes("entries=1"));
});

Deno.test("what is served stays while all of etcd is away, and follows again afterwards", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await using two = startOrigin("two");
  await etcd.put("/services/backend/one", one.address);
  node.start();
  await node.untilAnswer("one");
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  await etcd.member(0).kill();
  await node.untilState("the loss", ({ etcd }) => etcd.kind === "lost");
  assertEquals(await node.request(), { status: 200, body: "one" });
  assert(await node.ready());
  await etcd.member(0).start();
  await etcd.put("/services/backend/one", two.address);
  await node.untilAnswer("two");
});

Deno.test("a node that starts without etcd serves what its last run left, and says that it is stale", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  const first = node.start();
  await node.untilAnswer("one");
  await node.untilState("verified", ({ readiness }) => readiness.ready && readiness.stale === false);
  await first.stop({ deadlineMs: 15_000 });
  await etcd.member(0).kill();

  node.start();
  const state = await node.untilState("stale readiness", ({ readiness }) => readiness.ready);
  assertEquals(state.readiness.stale, true);
  assertEquals(await node.request(), { status: 200, body: "one" });
});

/** An endpoint that takes connections and drops them at once; `onConnection` is called for each. */
function startDropping(port: number, onConnection: () => void | Promise<void> = () => {}) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const accepting = (async () => {
    for await (const connection of listener) {
      connection.close();
      await onConnection();
    }
  })();
  return {
    accepting,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
    },
  };
}

Deno.test("a node serves before it tries etcd", async () => {
  const port = pickPort();
  await using node = await testNode({ endpoints: [`http://127.0.0.1:${port}`] });
  const answers: number[] = [];
  await using etcd = startDropping(port, async () => {
    if (answers.length === 0) answers.push((await node.request()).status);
  });
  node.start();
  await Promise.race([
    etcd.accepting,
    waitFor("the first connection to etcd", () => answers.length > 0, { deadlineMs: 30_000 }),
  ]);
  assertEquals(answers, [503]);
});

Deno.test("an endpoint that drops every connection is said so, and tried again until it does not", async () => {
  const port = pickPort();
  await using node = await testNode({ endpoints: [`http://127.0.0.1:${port}`] });
  await using one = startOrigin("one");
  {
    let connections = 0;
    await using _dropping = startDropping(port, () => void connections++);
    node.start();
    await node.untilState("etcd lost", ({ etcd }) => etcd.kind === "lost");
    await waitFor("several attempts", () => connections > 5, { deadlineMs: 30_000 });
    assertEquals((await node.request()).status, 503);
  }
  await using etcd = await startEtcdCluster({ members: 1, clientPorts: [port] });
  await etcd.put("/services/backend/one", one.address);
  await node.untilAnswer("one");
});
