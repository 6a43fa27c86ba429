import { assert, assertEquals } from "@std/assert";
import { startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { haproxyPids } from "../support/haproxy_faults.ts";
import { type TestNode, testNode } from "../support/node.ts";

Deno.test("a controller that comes back and finds nothing to do reloads nothing", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  node.start();
  await node.untilAnswer("one");
  await node.untilState("a reload that is over", ({ plan }) => plan?.outcome === "reached");
  const before = await Deno.stat(node.configPath);
  node.controller.kill("SIGKILL");
  await node.controller.status;

  node.start();
  await node.untilState("readiness", ({ readiness }) => readiness.ready && readiness.stale === false);
  assertEquals(await node.metric('plans_total{kind="reload"}'), 0);
  assertEquals(await node.metric('plans_total{kind="write"}'), 0);
  assertEquals((await Deno.stat(node.configPath)).mtime, before.mtime);
});

Deno.test("HAProxy that is killed is started again, with what etcd says", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  node.start();
  await node.untilAnswer("one");
  const { haproxy: { pid } } = await node.untilState("HAProxy", ({ haproxy }) => haproxy.kind === "up");
  assert(pid !== undefined);
  Deno.kill(pid, "SIGKILL");
  await node.untilState("another HAProxy", ({ haproxy }) => haproxy.kind === "up" && haproxy.pid !== pid);
  await node.untilAnswer("one");
  assertEquals(await node.metric("ends_total"), 1);
});

Deno.test("SIGTERM lets running requests finish, leaves no process and exits with 0", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using slow = startOrigin("slow");
  await etcd.put("/services/backend/slow", slow.address);
  const controller = node.start();
  await node.untilAnswer("slow");
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  slow.hold();
  const { haproxy: { pid } } = await node.state();
  const running = node.request();
  await waitFor("a running request", () => slow.inFlight === 1);
  controller.kill("SIGTERM");
  await waitFor("not ready", async () => !(await node.ready()));
  slow.release();
  assertEquals((await running).body, "slow");
  assertEquals(await controller.status, { success: true, code: 0, signal: null });
  assertEquals(await Deno.stat(`/proc/${pid}`).catch(() => undefined), undefined);
});

Deno.test("a hand-written haproxy.cfg is replaced only when asked to, and a copy is kept", async () => {
  await using node = await testNode({ endpoints: ["http://127.0.0.1:1"] });
  await Deno.writeTextFile(node.configPath, "defaults\n  mode http\n");
  const refused = node.start();
  assertEquals((await refused.status).code, 1);
  assert(refused.lines.some((line) => line.includes("--replace-config")), refused.lines.join("\n"));
  assertEquals(await node.readConfig(), "defaults\n  mode http\n");

  node.start({ args: ["--replace-config"] });
  await node.untilState("HAProxy", ({ haproxy }) => haproxy.kind === "up");
  assert((await node.readConfig()).startsWith("# Managed by etcd-haproxy\n"));
  assertEquals(await Deno.readTextFile(`${node.configPath}.before-etcd-haproxy`), "defaults\n  mode http\n");
});

Deno.test("a second controller on one state directory is refused", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  const first = node.start();
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  const second = node.start();
  assertEquals((await second.status).code, 1);
  assert(
    second.lines.some((line) => line.includes("another controller holds its lock")),
    second.lines.join("\n"),
  );
  await first.stop();
});

Deno.test("a controller that comes back touches nothing before it has adopted, also when services are gone by then", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  await etcd.put("/services/gone/x", one.address);
  node.start();
  await node.untilServers("gone", ["x"]);
  await node.untilServed();
  await etcd.delete("/services/gone/x");
  await node.untilServers("gone", []);
  await node.untilServed();
  const file = await node.readConfig();
  node.controller.kill("SIGKILL");
  await node.controller.status;

  node.start();
  await node.untilState("readiness", ({ readiness }) => readiness.ready && readiness.stale === false);
  assertEquals(await node.metric('plans_total{kind="reload"}'), 0);
  assertEquals(await node.metric('plans_total{kind="write"}'), 0);
  assertEquals(await node.readConfig(), file);
});

Deno.test("--stop-delay: not ready at once, still serving; a second SIGTERM skips the waiting", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  const controller = node.start({ args: ["--stop-delay", "10m"] });
  await node.untilAnswer("one");
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  controller.kill("SIGTERM");
  await waitFor("not ready", async () => !(await node.ready()));
  for (let asked = 0; asked < 20; asked++) {
    assertEquals(await node.request(), { status: 200, body: "one" });
  }
  assertEquals([await node.ready(), controller.exited], [false, undefined]);
  controller.kill("SIGTERM");
  assertEquals((await controller.status).code, 0);
});

Deno.test("--stop-delay is waited for, and no longer", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  const controller = node.start({ args: ["--stop-delay", "1s"] });
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  const since = performance.now();
  controller.kill("SIGTERM");
  assertEquals((await controller.status).code, 0);
  assert(performance.now() - since >= 1_000);
});

Deno.test("a controller waits for a frozen master at its start, and starts no second one", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  node.start();
  await node.untilAnswer("one");
  const { haproxy: { pid } } = await node.untilState("HAProxy", ({ haproxy }) => haproxy.kind === "up");
  assert(pid !== undefined);
  node.controller.kill("SIGKILL");
  await node.controller.status;
  Deno.kill(pid, "SIGSTOP");
  try {
    node.start();
    const { problems, readiness } = await node.untilState("a master that is stuck", ({ problems }) => {
      return problems.some(({ kind }) => kind === "master-stuck");
    });
    assertEquals([problems.length > 0, readiness.ready], [true, false]);
    assertEquals((await node.request()).body, "one");
  } finally {
    Deno.kill(pid, "SIGCONT");
  }
  const { haproxy } = await node.untilState("an adoption", ({ readiness }) => readiness.ready);
  assertEquals([haproxy.pid, haproxy.adopted], [pid, true]);
});

Deno.test("a frozen worker whose master is killed does not share the port with the next HAProxy", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  node.start();
  await node.untilAnswer("one");
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  const { master, worker } = await haproxyPids(node);
  Deno.kill(worker, "SIGSTOP");
  Deno.kill(master, "SIGKILL");
  await node.untilState("another HAProxy", ({ haproxy }) => haproxy.kind === "up" && haproxy.pid !== master);
  await node.untilAnswer("one");
  for (let i = 0; i < 20; i++) assertEquals((await node.request()).body, "one");
  await waitFor(
    "the end of the frozen worker",
    () => Deno.stat(`/proc/${worker}`).then(() => false, () => true),
  );
});

/** How many masters run that were started for a node; workers are their children. */
async function countMasters({ masterSocket }: TestNode): Promise<number> {
  const parents = new Map<string, string>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const [command, stat] = await Promise.all(["cmdline", "stat"].map(async (file) => {
      return await Deno.readTextFile(`/proc/${name}/${file}`).catch(() => "");
    }));
    if (!command?.includes(`-S\0${masterSocket}`)) continue;
    parents.set(name, stat?.replace(/^.*\) \S /, "").split(" ")[0] ?? "");
  }
  return [...parents.values()].filter((parent) => !parents.has(parent)).length;
}

// HAProxy 2.6 lives on and is adopted; 3.2 that has not come up yet ends with its parent, and another one is started.
Deno.test("a controller killed while HAProxy starts leaves one at the most, and the next controller has one", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await etcd.put("/services/backend/one", one.address);
  const first = node.start();
  await waitFor("a start of HAProxy", () => first.lines.some((line) => line.includes("starting haproxy")), {
    deadlineMs: 30_000,
    everyMs: 1,
  });
  await waitFor("a master", () => Deno.stat(node.masterSocket).then(() => true, () => false), { everyMs: 1 });
  first.kill("SIGKILL");
  await first.status;

  node.start();
  await node.untilServers("backend", ["one"]);
  await node.untilState("readiness", ({ readiness }) => readiness.ready && readiness.stale === false);
  assertEquals(await countMasters(node), 1);
});
