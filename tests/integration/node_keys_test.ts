import { assert, assertEquals } from "@std/assert";
import { waitForNodes } from "../../lib/ack/wait.ts";
import { type EtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { testNode } from "../support/node.ts";
import { keyOf, NODES_PREFIX as PREFIX, setting, text } from "../support/node_keys.ts";

// The sanitizers are off in this file: timers of grpc-js outlive a client that is closed.

/** Long enough that nothing is ever waiting for it to end on a slow machine, unless it is the point. */
const LONG_TTL = ["--node-ttl", "60s"];
const args = (id: string, ...more: string[]) => ["--node-id", id, ...LONG_TTL, ...more];
const endpointsOf = (etcd: EtcdCluster) => ({ endpoints: etcd.endpoints });

Deno.test("a node publishes the revision that it serves, and what it is", async () => {
  await using place = await setting();
  await using one = startOrigin("one");
  await using node = await testNode({ ...endpointsOf(place.etcd), args: args("lb1") });
  node.start();
  const revision = await place.put("one", one.address);
  const { applied, status } = await place.untilApplied("lb1", revision);
  assertEquals(applied, revision);
  await node.untilAnswer("one");
  const later = await place.untilNode("a server that is up", "lb1", ({ status }) => status?.servers.up === 1);
  assertEquals([later.status?.node, later.status?.servers.total, later.status?.stale], ["lb1", 1, false]);
  assertEquals([later.status?.draining, later.status?.admin], [[], `http://127.0.0.1:${node.adminPort}`]);
  assert(status !== undefined);
  const state = await node.state();
  assertEquals(text(state).includes('"nodeKeys":{"kind":"published","as":"lb1"}'), true);
});

Deno.test("a drain is acknowledged when the server holds no request, and listed as draining before", async () => {
  await using place = await setting();
  await using slow = startOrigin("slow");
  await using other = startOrigin("other");
  await using node = await testNode({ ...endpointsOf(place.etcd), args: args("lb1") });
  await place.put("slow", slow.address);
  node.start();
  await node.untilAnswer("slow");
  await place.put("other", other.address);
  await node.untilAnswer("other");
  slow.hold();
  const running: Promise<unknown>[] = [];
  await waitFor("a request on the slow one", () => {
    running.push(node.request());
    return slow.inFlight > 0;
  });
  const revision = await place.put("slow", { address: slow.address, state: "drain" });
  const passed = await place.untilApplied("lb1", revision);
  assertEquals(passed.status?.draining, ["backend/slow"]);
  slow.release();
  const drained = await place.untilNode("no draining", "lb1", ({ status }) => status?.draining.length === 0);
  assert(drained.applied !== undefined && drained.applied >= revision);
  assertEquals(slow.inFlight, 0);
  await Promise.all(running);
});

Deno.test("a second node of the same id publishes under another name, and takes the id when the first has gone", async () => {
  await using place = await setting();
  await using first = await testNode({ ...endpointsOf(place.etcd), args: args("lb1") });
  await using second = await testNode({ ...endpointsOf(place.etcd), args: args("lb1", "--node-ttl", "2s") });
  first.start();
  const revision = await place.put("one", "127.0.0.1:9");
  const { status } = await place.untilApplied("lb1", revision);
  second.start();
  const name = await waitFor(
    "a second node",
    async () => (await place.nodes()).find(({ node }) => node !== "lb1")?.node,
  );
  assert(/^lb1~[0-9a-f]{4}$/.test(name), name);
  await place.untilApplied(name, revision);
  await waitFor(
    "a warning",
    () => second.controller.lines.some((line) => line.includes("another node has this node's id")),
  );
  assertEquals((await place.nodes())[0]?.status?.instance, status?.instance);
  await first.controller.stop();
  const other = await place.untilNode(
    "the second",
    "lb1",
    ({ status: now }) => now?.instance !== status?.instance,
  );
  assert(other.applied !== undefined && other.applied >= revision);
  assertEquals((await place.nodes()).map(({ node }) => node), ["lb1"]);
});

Deno.test("a node that was killed takes its keys over when it is back, and two nodes with one instance tell each other apart", async () => {
  await using place = await setting();
  await using node = await testNode({ ...endpointsOf(place.etcd), args: args("lb1") });
  node.start();
  const revision = await place.put("one", "127.0.0.1:9");
  const before = await place.untilApplied("lb1", revision);
  const { lease } = await keyOf(place, "lb1/status");
  node.controller.kill("SIGKILL");
  await node.controller.status;
  node.start();
  await waitFor("another lease", async () => (await keyOf(place, "lb1/status")).lease !== lease);
  const after = await place.untilApplied("lb1", revision);
  assertEquals(after.status?.instance, before.status?.instance);
  assertEquals((await place.nodes()).length, 1);

  await using copy = await testNode({ ...endpointsOf(place.etcd), args: args("lb1", "--node-ttl", "2s") });
  await Deno.mkdir(`${copy.dir}/state`);
  await Deno.copyFile(`${node.dir}/state/instance`, `${copy.dir}/state/instance`);
  const { lease: ownLease } = await keyOf(place, "lb1/status");
  copy.start();
  await waitFor("the copy's lease", async () => (await keyOf(place, "lb1/status")).lease !== ownLease);
  // The next put finds that the key is another node's. Without a put, the node looks once in its lease's time.
  await place.put("two", "127.0.0.1:9");
  await waitFor("a second node", async () => (await place.nodes()).length === 2, { deadlineMs: 60_000 });
});

Deno.test("a stopping node keeps its keys as they are until HAProxy has ended", async () => {
  await using place = await setting();
  await using slow = startOrigin("slow");
  await using node = await testNode({ ...endpointsOf(place.etcd), args: args("lb1") });
  await place.put("slow", slow.address);
  node.start();
  await node.untilAnswer("slow");
  const revision = await place.put("other", "127.0.0.1:9");
  await place.untilApplied("lb1", revision);
  slow.hold();
  const running = node.request();
  await waitFor("the request", () => slow.inFlight === 1);
  node.controller.kill("SIGTERM");
  await waitFor("the stop", () => node.controller.lines.some((line) => line.includes("stopping")));
  const late = await place.put("late", "127.0.0.1:9");
  const wrong: string[] = [];
  let looks = 0;
  await waitFor("the end of the keys, not before that of HAProxy", async () => {
    if (++looks === 10) slow.release();
    const nodes = await place.nodes();
    if (nodes.length === 0 && slow.inFlight > 0) wrong.push("the keys went while a request was running");
    if (nodes.some(({ applied }) => applied === undefined || applied >= late)) wrong.push(text(nodes));
    return nodes.length === 0;
  }, { deadlineMs: 30_000 });
  assertEquals(wrong, []);
  assertEquals((await running).body, "slow");
  assertEquals((await node.controller.status).code, 0);
});

Deno.test("a frozen node loses its keys when its lease has ended, and is no longer waited for", async () => {
  await using place = await setting();
  await using frozen = await testNode({ ...endpointsOf(place.etcd), args: args("lb2", "--node-ttl", "3s") });
  await using node = await testNode({ ...endpointsOf(place.etcd), args: args("lb1") });
  frozen.start();
  node.start();
  const before = await place.put("one", "127.0.0.1:9");
  await place.untilApplied("lb1", before);
  await place.untilApplied("lb2", before);
  frozen.controller.freeze();
  const revision = await place.put("two", "127.0.0.1:9");
  const end = await waitForNodes(place.client, { nodesPrefix: PREFIX, revision, limitMs: 60_000 });
  assertEquals(end.kind === "passed" && end.nodes.map(({ node }) => node), ["lb1"]);
  frozen.controller.resume();
  await place.untilApplied("lb2", revision);
});

Deno.test("the keys come back after an outage of etcd, a revoked lease, and a delete", async () => {
  await using place = await setting();
  await using node = await testNode({ ...endpointsOf(place.etcd), args: args("lb1", "--node-ttl", "2s") });
  node.start();
  await place.untilApplied("lb1", await place.put("one", "127.0.0.1:9"));
  const { lease } = await keyOf(place, "lb1/status");
  await place.client.kv.leaseClient.leaseRevoke({ ID: lease });
  await waitFor("another lease", async () => (await keyOf(place, "lb1/status")).lease !== lease, {
    deadlineMs: 30_000,
  });
  await place.client.kv.delete().prefix(PREFIX);
  await place.untilNode(
    "both keys",
    "lb1",
    ({ applied, status }) => applied !== undefined && status !== undefined,
  );
  await place.etcd.member(0).stop();
  await waitFor(
    "a warning",
    () => node.controller.lines.some((line) => line.includes("cannot write node keys")),
  );
  await place.etcd.member(0).start();
  await place.untilApplied(
    "lb1",
    await waitFor("a put", () => place.put("two", "127.0.0.1:9"), { deadlineMs: 30_000 }),
  );
});

Deno.test("a node that may not write its keys logs one warning and keeps serving", async () => {
  await using place = await setting();
  await using one = startOrigin("one");
  await place.put("one", one.address);
  for (
    const command of [
      "user add root:pass",
      "user grant-role root root",
      "role add reader",
      "role grant-permission reader read --prefix=true /",
      "user add lb:pass",
      "user grant-role lb reader",
      "auth enable",
    ]
  ) await place.etcd.etcdctl(...command.split(" "));
  await using node = await testNode({
    ...endpointsOf(place.etcd),
    args: args("lb1", "--user", "lb"),
    env: { ETCD_PASSWORD: "pass" },
  });
  node.start();
  await node.untilAnswer("one");
  // A machine that is slow may give other reasons before.
  const warnings = () =>
    node.controller.lines.filter((line) => line.includes("no permission to write node keys"));
  await node.untilState(
    "a problem",
    ({ problems }) => problems.some(({ kind }) => kind === "node-keys-refused"),
  );
  await waitFor("a warning", () => {
    if (warnings().length === 0) throw new Error(node.controller.lines.slice(-15).join("\n"));
    return true;
  }, { deadlineMs: 60_000 });
  await place.etcd.etcdctl("--user", "root:pass", "put", "/services/backend/two", one.address);
  await node.untilServers("backend", ["one", "two"]);
  assertEquals(warnings().length, 1);
});
