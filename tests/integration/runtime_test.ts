import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ask } from "../../lib/haproxy/socket.ts";
import { type EtcdCluster, pickPort, startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { testNode } from "../support/node.ts";
import { assertNoFailure, loadOn, registry, stat } from "../support/runtime.ts";

Deno.test("with --admission none a server serves as soon as it is there", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints, args: ["--admission", "none"] });
  node.start();
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  await registry(etcd).put("closed", { address: `127.0.0.1:${pickPort()}`, check: { disabled: true } });
  await node.untilServers("backend", ["closed"]);
  assertEquals((await node.request()).status, 503);
  assert(Number(await stat(node, "closed", "econ")) > 0);
});

Deno.test("changes made by hand on the socket are undone and counted", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  const { put } = registry(etcd);
  await put("one", one.address);
  await put("two", one.address);
  const controller = node.start();
  await node.untilServers("backend", ["one", "two"]);
  await node.untilServed();
  await ask(
    node.runtimeSocket,
    "set server backend/one weight 7; set server backend/two state maint; del server backend/two",
  );
  Deno.kill(controller.pid, "SIGHUP");
  await waitFor("both repaired", async () => {
    const servers = await node.runningServers("backend");
    return servers.length === 2 && servers.every(({ weight, maint }) => weight === 100 && !maint);
  });
  // A pass that came between two of the commands repaired what it saw, and the rest was repaired after it.
  await waitFor("two repairs", async () => await node.metric("drift_repairs_total") >= 2);
  assertEquals(await node.metric('plans_total{kind="reload"}'), 0);
});

Deno.test("an address that is in use vetoes the reload, and clients of the old one notice nothing", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  const { put } = registry(etcd);
  await put("one", one.address);
  const template = `${node.dir}/template.eta`;
  const embedded = await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url));
  await Deno.writeTextFile(template, embedded);
  const controller = node.start({ args: ["--template", template] });
  await node.untilAnswer("one");
  await using load = loadOn(node);
  load.start();
  const holder = Deno.listen({ hostname: "127.0.0.1", port: pickPort() });
  const { port } = holder.addr;
  await Deno.writeTextFile(
    template,
    `${embedded}\nfrontend more\n    bind 127.0.0.1:${port}\n    default_backend backend\n`,
  );
  Deno.kill(controller.pid, "SIGHUP");
  const { base } = await node.untilState("a refusal", ({ base }) => (base?.refused ?? null) !== null);
  assertStringIncludes(base?.refused?.reason ?? "", `Cannot bind 127.0.0.1:${port}`);
  await put("two", one.address);
  await node.untilServers("backend", ["one", "two"]);
  holder.close();
  await waitFor("the new address", async () => (await fetch(`http://127.0.0.1:${port}/`)).text());
  await load.stop();
  assertNoFailure(load);
});

Deno.test("a service that goes and comes back costs no reload", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  node.start();
  await etcd.put("/services/api/x", "127.0.0.1:9001");
  await node.untilServers("api", ["x"]);
  await node.untilServed();
  const before = await node.metric('plans_total{kind="reload"}');
  await etcd.delete("/services/api/x");
  await node.untilServers("api", []);
  await etcd.put("/services/api/y", "127.0.0.1:9002");
  await node.untilServers("api", ["y"]);
  assertEquals(await node.metric('plans_total{kind="reload"}'), before);
});

Deno.test("endpoints follow at run time while a new base waits for its reload", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  node.start({ args: ["--reload-interval", "10m"] });
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  await etcd.put("/services/first/x", "127.0.0.1:9001");
  await node.untilServers("first", ["x"]);
  await etcd.put("/services/second/x", "127.0.0.1:9001");
  await registry(etcd).put("one", "127.0.0.1:9002");
  await node.untilServers("backend", ["one"]);
  assertEquals(await node.runningServers("second"), []);
});

Deno.test("parameters that change under load fail no request, and servers in maintenance change at run time", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  const { put } = registry(etcd);
  await put("one", one.address);
  await put("off", { address: one.address, state: "maint" });
  node.start();
  await node.untilAnswer("one");
  await node.untilServed();
  const reloads = await node.metric('reloads_total{result="loaded"}');
  await put("off", { address: one.address, state: "maint", maxconn: 9 });
  await waitFor("a replacement", () => node.metric('steps_total{kind="replace"}'));
  assertEquals(await node.metric('reloads_total{result="loaded"}'), reloads);
  await using load = loadOn(node);
  load.start();
  for (const maxconn of [500, 400, 300]) {
    await put("one", { address: one.address, maxconn });
    await waitFor(`maxconn ${maxconn}`, async () => await stat(node, "one", "slim") === String(maxconn), {
      deadlineMs: 30_000,
    });
  }
  await load.stop();
  assertNoFailure(load);
});

Deno.test("120 servers come in one batch and go in one pass, without a reload", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  node.start();
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  const names = Array.from({ length: 120 }, (_, index) => `s${index}`);
  const puts = names.map((name) => `put /services/backend/${name} ${one.address}`);
  await transaction(etcd, puts);
  await node.untilServers("backend", names);
  await transaction(etcd, names.map((name) => `del /services/backend/${name}`));
  await node.untilServers("backend", []);
  await node.untilServed();
  assertEquals(await node.metric('plans_total{kind="reload"}'), 0);
  assertEquals(await node.metric('outcomes_total{outcome="incomplete"}'), 0);
  assertEquals(await node.metric("drift_repairs_total"), 0);
});

/** All of it at one revision; etcd takes 128 operations at a time. */
async function transaction(etcd: EtcdCluster, operations: readonly string[]): Promise<void> {
  const { Etcd3 } = await import("etcd3");
  const client = new Etcd3({ hosts: [...etcd.endpoints] });
  try {
    const parts = operations.map((operation) => operation.split(" "));
    await client.if("/none", "Version", "==", 0).then(
      ...parts.map(([verb, key = "", value = ""]) =>
        verb === "put" ? client.put(key).value(value) : client.delete().key(key)
      ),
    ).commit();
  } finally {
    client.close();
  }
}

Deno.test("a reload keeps the health that servers have by then, be it up or down", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  const port = pickPort();
  const { put } = registry(etcd);
  await put("late", `127.0.0.1:${port}`);
  node.start();
  await node.untilServers("backend", ["late"]);
  await node.untilServed();
  await waitFor("the server down", async () => (await stat(node, "late", "status")).startsWith("DOWN"));
  await using _late = startOrigin("late", { port });
  await waitFor("the server up", async () => (await stat(node, "late", "status")).startsWith("UP"), {
    deadlineMs: 30_000,
  });
  await using load = loadOn(node);
  load.start();
  await load.firstAnswerFrom("late");
  load.mark("reload");
  await etcd.put("/services/other/x", `127.0.0.1:${port}`);
  await node.untilServers("other", ["x"]);
  await node.untilServed();
  const seen = load.chapter.all.requests;
  await waitFor("200 more requests", () => load.chapter.all.requests > seen + 200);
  await load.stop();
  assertNoFailure(load);
});

Deno.test("a bind that is widened on the same port is no conflict with HAProxy itself", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await registry(etcd).put("one", one.address);
  const template = `${node.dir}/template.eta`;
  const embedded = await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url));
  await Deno.writeTextFile(template, embedded);
  const controller = node.start({ args: ["--template", template] });
  await node.untilAnswer("one");
  await node.untilServed();
  await Deno.writeTextFile(template, embedded.replace("bind <%= it.bind %>", `bind 0.0.0.0:${node.port}`));
  Deno.kill(controller.pid, "SIGHUP");
  await waitFor(
    "the wider bind",
    async () => (await node.readConfig()).includes(`bind 0.0.0.0:${node.port}`),
  );
  await node.untilServed();
  assertEquals((await node.state()).base?.refused, null);
  assertEquals((await node.request()).body, "one");
});
