import { assert, assertEquals } from "@std/assert";
import { showProcesses } from "../../lib/haproxy/master_cli.ts";
import { HttpConnection } from "../../tools/local/http_connection.ts";
import { type EtcdCluster, pause, startOrigin, waitFor } from "../support/mod.ts";
import { type TestNode, testNode } from "../support/node.ts";
import { keyOf, setting } from "../support/node_keys.ts";

// The sanitizers are off in this file: timers of grpc-js outlive a client that is closed.

/** Long enough that nothing is ever waiting for it to end on a slow machine, unless it is the point. */
const LONG_TTL = ["--node-ttl", "60s"];
/** What an idle client is allowed: so long that it is idle until it leaves by itself. */
const KEEP_ALIVE_MS = 60_000;
/** For how long it is seen to hold up a revision, which is published within a quarter of a second else. */
const HELD_MS = 1_500;

const args = (id: string, ...more: string[]) => ["--node-id", id, ...LONG_TTL, ...more];
const endpointsOf = (etcd: EtcdCluster) => ({ endpoints: etcd.endpoints });

/** Writes the embedded template with other timeouts of clients, and returns its path. */
async function templateWith({ dir }: TestNode, timeouts: RegExp, ms: number): Promise<string> {
  const path = `${dir}/template.eta`;
  const embedded = await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url));
  await Deno.writeTextFile(path, embedded.replace(timeouts, `$1 ${ms}ms`));
  return path;
}

/** Workers of a node that a reload retired. */
async function oldWorkers(node: TestNode): Promise<number> {
  return (await showProcesses(node.masterSocket)).oldWorkers.length;
}

Deno.test("an old worker with an idle client holds a revision up until it is gone", async () => {
  await using place = await setting();
  await using stays = startOrigin("stays");
  await using leaves = startOrigin("leaves");
  await using node = await testNode(endpointsOf(place.etcd));
  const template = await templateWith(node, /(timeout http-keep-alive) \S+/, KEEP_ALIVE_MS);
  await place.put("stays", stays.address);
  await place.put("leaves", leaves.address);
  node.start({ args: args("lb1", "--apply", "reload", "--template", template) });
  await node.untilServers("backend", ["leaves", "stays"]);
  await node.untilAnswer("leaves");
  await waitFor("no old worker", async () => await oldWorkers(node) === 0);
  const client = await HttpConnection.open(new URL(node.url));
  await client.get("/", { keepAlive: true });
  const revision = await place.put("leaves", { address: leaves.address, state: "drain" });
  await waitFor("an old worker that waits for the client", async () => await oldWorkers(node) === 1);
  const isAcknowledged = async () => (await place.nodes()).some(({ applied }) => applied === revision);
  const until = performance.now() + HELD_MS;
  while (performance.now() < until) {
    assertEquals([await isAcknowledged(), client.usable], [false, true]);
    await pause(20);
  }
  client.close();
  await waitFor("the acknowledgement", isAcknowledged);
  assertEquals(await oldWorkers(node), 0);
  const seen = leaves.requests;
  assertEquals((await node.request()).body, "stays");
  assertEquals(leaves.requests, seen);
});

Deno.test("an old worker with a long request holds a revision up only as long as a client may be idle", async () => {
  await using place = await setting();
  await using stays = startOrigin("stays");
  await using leaves = startOrigin("leaves");
  await using node = await testNode(endpointsOf(place.etcd));
  const template = await templateWith(node, /(timeout http-\S+) \S+/g, 500);
  await place.put("stays", stays.address);
  node.start({ args: args("lb1", "--apply", "reload", "--template", template) });
  await node.untilAnswer("stays");
  stays.behaviour.delayMs = 60_000;
  const running = node.request();
  await waitFor("the long request", () => stays.inFlight === 1);
  stays.behaviour.delayMs = 0;
  await place.put("leaves", leaves.address);
  await node.untilServers("backend", ["leaves", "stays"]);
  const revision = await place.put("leaves", { address: leaves.address, state: "drain" });
  const { status } = await place.untilApplied("lb1", revision);
  assertEquals([stays.inFlight, await oldWorkers(node) > 0, status?.draining], [1, true, []]);
  await stays.closeAbruptly();
  await running;
});

Deno.test("a server that an old worker still sends to is listed as draining, also when the worker of now knows it no longer", async () => {
  await using place = await setting();
  await using stays = startOrigin("stays");
  await using leaves = startOrigin("leaves", { delayMs: 60_000 });
  await using node = await testNode({ ...endpointsOf(place.etcd), args: args("lb1", "--apply", "reload") });
  await place.put("leaves", leaves.address);
  node.start();
  await node.untilServers("backend", ["leaves"]);
  const running = node.request();
  await waitFor("the long request", () => leaves.inFlight === 1);
  await place.put("stays", stays.address);
  await node.untilServers("backend", ["leaves", "stays"]);
  const revision = await place.del("leaves");
  const { status } = await place.untilApplied("lb1", revision);
  assertEquals(status?.draining, ["backend/leaves"]);
  await leaves.closeAbruptly();
  await running;
  await place.untilNode("no draining", "lb1", ({ status }) => status?.draining.length === 0);
});

Deno.test("under churn a node puts its revision four times a second at most, and its status seldom", async () => {
  await using place = await setting();
  await using node = await testNode({ ...endpointsOf(place.etcd), args: args("lb1") });
  node.start();
  await place.untilNode("a status", "lb1", ({ status }) => status !== undefined);
  // The first changes of its counts are put soon.
  for (const [before, id] of ["one", "two"].entries()) {
    await place.put(id, "127.0.0.1:9");
    await place.untilNode(
      `server ${id}`,
      "lb1",
      ({ applied, status }) => applied !== undefined && status?.servers.total === before + 1,
    );
  }
  const versions = async () => {
    const [applied, status] = await Promise.all([keyOf(place, "lb1/applied"), keyOf(place, "lb1/status")]);
    return [Number(applied.version), Number(status.version)] as const;
  };
  const [appliedBefore, statusBefore] = await versions();
  const startedAt = performance.now();
  let revision = 0n;
  let changes = 0;
  while (performance.now() - startedAt < 12_000) {
    changes += 2;
    await place.put(`guest${changes % 3}`, { address: "127.0.0.1:9", weight: 10 + changes % 100 });
    revision = await place.del(`guest${changes % 3}`);
    await pause(20);
  }
  const [appliedAfter, statusAfter] = await versions();
  const [appliedPuts, statusPuts] = [appliedAfter - appliedBefore, statusAfter - statusBefore];
  const seconds = (performance.now() - startedAt) / 1_000;
  await place.untilApplied("lb1", revision);
  const perMinute = (puts: number) => Math.round(puts / seconds * 60);
  console.log(
    `      ${changes} changes in ${Math.round(seconds)} s: ${perMinute(appliedPuts)} puts of applied and ` +
      `${perMinute(statusPuts)} of status a minute`,
  );
  assert(appliedPuts <= seconds * 4 + 1, `${appliedPuts} puts of applied in ${seconds} s`);
  assert(statusPuts <= seconds / 10 + 1, `${statusPuts} puts of status in ${seconds} s`);
  assert(appliedPuts > 1, "no revision was published under churn");
});
