import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startOrigin, waitFor } from "../support/mod.ts";
import { type NodeState, testNode } from "../support/node.ts";
import { keyOf, setting } from "../support/node_keys.ts";
import { runProgram } from "../support/program.ts";

// The sanitizers are off in this file: timers of grpc-js outlive a client that is closed.

const ARGS = ["--node-id", "lb1", "--node-ttl", "60s"];

/** What the admin page tells of one server; undefined while it tells nothing. */
const serverIn = ({ services }: NodeState, id: string) =>
  services.flatMap(({ servers }) => servers).find((server) => server.id === id);

Deno.test("a node that starts tells soon how many servers are up, and puts little for it", async () => {
  await using place = await setting();
  await using one = startOrigin("one");
  await using two = startOrigin("two");
  await place.put("one", one.address);
  await place.put("two", two.address);
  await using node = await testNode({ endpoints: place.etcd.endpoints, args: ARGS });
  node.start();
  await place.untilNode("a status", "lb1", ({ status }) => status !== undefined);
  const startedAt = performance.now();
  const known = await place.untilNode("two servers up", "lb1", ({ status }) => status?.servers.up === 2);
  // Other changes of the status are put 10 s after it.
  const tookMs = performance.now() - startedAt;
  assert(tookMs < 8_000, `the counts came ${Math.round(tookMs)} ms after the first status`);
  assertEquals(known.status?.servers, { total: 2, up: 2 });
  assert(Number((await keyOf(place, "lb1/status")).version) <= 3);
});

Deno.test("servers that the guard holds are told as held and as draining, beside the revision at which they left", async () => {
  await using place = await setting();
  await using stack = new AsyncDisposableStack();
  const origins = ["a", "b", "c", "d"].map((id) => stack.use(startOrigin(id)));
  for (const { behaviour, address } of origins) await place.put(behaviour.name, address);
  const guard = ["--guard", "on", "--guard-time", "120s"];
  await using node = await testNode({ endpoints: place.etcd.endpoints, args: [...ARGS, ...guard] });
  node.start();
  await node.untilState(
    "four servers up",
    (state) => origins.every(({ behaviour }) => serverIn(state, behaviour.name)?.up === true),
  );
  const { header } = await place.client.kv.delete().prefix("/services/");
  const passed = await place.untilApplied("lb1", BigInt(header.revision));
  assertEquals(passed.status?.draining, ["backend/c", "backend/d"]);
  await place.untilNode("the number of held servers", "lb1", ({ status }) => status?.held === 2);

  const state = await node.state();
  assertEquals(state.held.map(({ id }) => id), ["c", "d"]);
  assertEquals(state.problems.map(({ kind }) => kind), ["servers-held"]);
  assertEquals(["a", "b", "c", "d"].map((id) => serverIn(state, id)?.up), [undefined, undefined, true, true]);
  assertEquals(await node.metric("held_servers"), 2);
  const { stdout } = await runProgram(["status", "--endpoints", place.etcd.endpoints.join()]);
  assertStringIncludes(stdout, "lb1 drains backend/c, backend/d\n");

  for (const origin of origins) await origin.closeAbruptly();
  await place.untilNode("no draining server", "lb1", ({ status }) => status?.draining.length === 0);
  assertEquals((await node.state()).held, []);
  assertEquals(await node.metric("held_servers"), 0);
});

Deno.test("servers that wait for admission are told as waiting, and as not up until a probe has passed", async () => {
  await using place = await setting();
  await using one = startOrigin("one");
  await using late = startOrigin("late", { status: 503 });
  await using node = await testNode({ endpoints: place.etcd.endpoints, args: ARGS });
  await place.put("one", one.address);
  node.start();
  await node.untilAnswer("one");
  let total = 1;
  await waitFor("a server that waits, seen while it does", async () => {
    // A server is probed for two seconds.
    await place.put(`late${total++}`, { address: late.address, check: { path: "/" } });
    const [state, metric] = await Promise.all([node.state(), node.metric("admissions_waiting")]);
    return state.admissionsWaiting > 0 && metric > 0 &&
      serverIn(state, "one")?.up === true && serverIn(state, "late1")?.up === false;
  }, { everyMs: 200 });
  const told = await place.untilNode(
    "all servers",
    "lb1",
    ({ status }) => status?.servers.total === total,
  );
  assertEquals(told.status?.servers.up, 1);

  late.behaviour.status = 200;
  await node.untilState("all to be up", (state) => serverIn(state, `late${total - 1}`)?.up === true);
  await place.untilNode("all to be up", "lb1", ({ status }) => status?.servers.up === total);
  assertEquals((await node.state()).admissionsWaiting, 0);
  assertEquals(await node.metric("admissions_waiting"), 0);
});

Deno.test("a server that leaves and that an override keeps serving is told as draining, until the override has gone", async () => {
  await using place = await setting();
  await using one = startOrigin("one");
  await using two = startOrigin("two");
  await using node = await testNode({ endpoints: place.etcd.endpoints, args: ARGS });
  await place.put("one", one.address);
  await place.put("two", two.address);
  await place.override("one", { state: "ready" });
  node.start();
  await node.untilAnswer("one");
  const revision = await place.put("one", { address: one.address, state: "drain" });
  const passed = await place.untilApplied("lb1", revision);
  assertEquals(passed.status?.draining, ["backend/one"]);
  const server = serverIn(await node.state(), "one");
  assertEquals([server?.state, server?.up], ["ready", true]);
  await node.untilAnswer("one");

  const end = await place.delOverride("one");
  const drained = await place.untilNode(
    "no draining server",
    "lb1",
    ({ status }) => status?.draining.length === 0,
  );
  assert(drained.applied !== undefined && drained.applied >= end);
  assertEquals(serverIn(await node.state(), "one")?.state, "drain");
  const seen = one.requests;
  for (let asked = 0; asked < 4; asked++) assertEquals((await node.request()).body, "two");
  assertEquals(one.requests, seen);
});
