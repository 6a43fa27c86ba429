import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  isPortFree,
  type LocalProcess,
  requireProgram,
  startEtcdCluster,
  startOrigin,
  startProcess,
  waitFor,
} from "../support/mod.ts";
import { type NodeOptions, type TestNode, testNode } from "../support/node.ts";
import { setting } from "../support/node_keys.ts";

const FOREIGN = "defaults\n  mode http\n  timeout client 5s\nfrontend other\n";

/** A node whose HAProxy is started and stopped by the test, as systemd would. */
async function attachedNode(options: NodeOptions): Promise<{ node: TestNode; socket: string }> {
  const node = await testNode(options);
  return { node, socket: `${node.dir}/systemd.sock` };
}

function startHaproxy({ configPath }: TestNode, socket: string): LocalProcess {
  return startProcess({
    name: "haproxy",
    command: requireProgram("haproxy"),
    args: ["-W", "-db", "-S", `${socket},mode,600`, "-f", configPath],
  });
}

Deno.test("attached: servers come and go in an HAProxy that is not the controller's, and it keeps running", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const { node, socket } = await attachedNode({ endpoints: etcd.endpoints });
  await using _ = node;
  await using one = startOrigin("one");
  await using two = startOrigin("two");
  const attach = { args: ["--attach", socket] };
  node.start(attach);
  await node.untilState("a configuration and no HAProxy", ({ haproxy }) => haproxy.kind === "down");
  assertEquals(await node.ready(), false);
  assert(isPortFree(node.port));

  await using haproxy = startHaproxy(node, socket);
  const { haproxy: seen } = await node.untilState("readiness", ({ readiness }) => readiness.ready);
  assertEquals(seen.pid, haproxy.pid);
  await etcd.put("/services/backend/one", one.address);
  await etcd.put("/services/backend/two", two.address);
  await node.untilServers("backend", ["one", "two"]);
  await etcd.delete("/services/backend/two");
  await node.untilServers("backend", ["one"]);
  await node.untilAnswer("one");
  await node.untilState("a pass that is over", ({ plan }) => plan?.outcome === "reached");

  node.controller.kill("SIGTERM");
  assertEquals((await node.controller.status).code, 0);
  assertEquals((await node.request()).body, "one");
  assertEquals(haproxy.exited, undefined);

  node.start(attach);
  await node.untilState("readiness", ({ readiness }) => readiness.ready && readiness.stale === false);
  assertEquals(await node.metric('plans_total{kind="reload"}'), 0);
  assertEquals((await node.request()).body, "one");
});

Deno.test("attached: an HAProxy that is away is waited for, and comes back with what changed meanwhile", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const { node, socket } = await attachedNode({ endpoints: etcd.endpoints });
  await using _ = node;
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  node.start({ args: ["--attach", socket] });
  await node.untilState("a configuration", ({ haproxy }) => haproxy.kind === "down");
  await using first = startHaproxy(node, socket);
  await node.untilAnswer("one");
  await node.untilState("readiness", ({ readiness }) => readiness.ready && readiness.stale === false);
  await first.stop();

  await node.untilState("HAProxy to be away", ({ haproxy }) => haproxy.kind === "down");
  assertEquals(await node.ready(), false);
  await node.untilLine(/haproxy does not run, waiting for it/);
  await etcd.put("/services/backend/two", one.address);
  await waitFor("the change in the file", async () => (await node.readConfig()).includes("server two "));
  assert(isPortFree(node.port));

  await using second = startHaproxy(node, socket);
  await node.untilServers("backend", ["one", "two"]);
  const { haproxy } = await node.untilState("readiness", ({ readiness }) => readiness.ready);
  assertEquals(haproxy.pid, second.pid);
});

Deno.test("attached: an HAProxy that runs another configuration is reloaded, not restarted", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const { node, socket } = await attachedNode({ endpoints: etcd.endpoints });
  await using _ = node;
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  await Deno.writeTextFile(node.configPath, `${FOREIGN}  bind 127.0.0.1:${node.port}\n`);
  await using haproxy = startHaproxy(node, socket);
  await waitFor("HAProxy", async () => (await node.request()).status === 503);

  node.start({ args: ["--attach", socket, "--replace-config"] });
  await node.untilAnswer("one");
  const { haproxy: seen } = await node.untilState("readiness", ({ readiness }) => readiness.ready);
  assertEquals(seen.pid, haproxy.pid);
  assertStringIncludes(await Deno.readTextFile(`${node.configPath}.before-etcd-haproxy`), FOREIGN);
});

Deno.test("attached: an HAProxy that the controller ran before is no silent second one on the port", async () => {
  const { node, socket } = await attachedNode({ endpoints: ["http://127.0.0.1:1"] });
  await using _ = node;
  node.start();
  await node.untilState("HAProxy", ({ haproxy }) => haproxy.kind === "up");
  node.controller.kill("SIGKILL");
  await node.controller.status;

  const refused = node.start({ args: ["--attach", socket] });
  assertEquals((await refused.status).code, 1);
  assert(refused.lines.some((line) => line.includes("of an earlier run")), refused.lines.join("\n"));
});

Deno.test("attached: a drain is acknowledged when the server has no request, and not while HAProxy is away", async () => {
  await using place = await setting();
  const { node, socket } = await attachedNode({ endpoints: place.etcd.endpoints });
  await using _ = node;
  await using slow = startOrigin("slow");
  await using other = startOrigin("other");
  await place.put("slow", slow.address);
  node.start({ args: ["--attach", socket, "--node-id", "lb1", "--node-ttl", "60s"] });
  await node.untilState("a configuration", ({ haproxy }) => haproxy.kind === "down");
  await using first = startHaproxy(node, socket);
  await node.untilAnswer("slow");
  await place.put("other", other.address);
  await node.untilAnswer("other");
  slow.hold();
  const running: Promise<unknown>[] = [];
  await waitFor("a request on the slow one", () => {
    running.push(node.request());
    return slow.inFlight > 0;
  });
  const drain = await place.put("slow", { address: slow.address, state: "drain" });
  const passed = await place.untilApplied("lb1", drain);
  assertEquals(passed.status?.draining, ["backend/slow"]);
  slow.release();
  await place.untilNode("no draining", "lb1", ({ status }) => status?.draining.length === 0);
  assertEquals(slow.inFlight, 0);
  await Promise.all(running);

  await first.stop();
  await node.untilState("HAProxy to be away", ({ haproxy }) => haproxy.kind === "down");
  const late = await place.put("other", { address: other.address, state: "drain" });
  // The status of a later change would come with the revision, if that had been reached.
  await place.put("bad", "nonsense");
  const { applied } = await place.untilNode("a rejection", "lb1", ({ status }) => status?.rejections === 1);
  assert(applied !== undefined && applied < late, `revision ${applied} was published`);
  await using _second = startHaproxy(node, socket);
  await place.untilApplied("lb1", late);
});
