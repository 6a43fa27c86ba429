import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ask } from "../../lib/haproxy/socket.ts";
import { type EtcdCluster, Load, pickPort, startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { type TestNode, testNode } from "../support/node.ts";

/** Registers, changes or removes servers of the service `backend`. */
function registry(etcd: EtcdCluster) {
  return {
    put: (id: string, value: string | Record<string, unknown>) =>
      etcd.put(`/services/backend/${id}`, typeof value === "string" ? value : JSON.stringify(value)),
    del: (id: string) => etcd.delete(`/services/backend/${id}`),
  };
}

/** A column of `show stat` for one server of backend `backend`. */
async function stat(node: TestNode, server: string, column: string): Promise<string> {
  const [head = "", ...rows] = (await ask(node.runtimeSocket, "show stat")).split("\n");
  const at = head.replace(/^# /, "").split(",").indexOf(column);
  const row = rows.find((row) => row.startsWith(`backend,${server},`));
  return row?.split(",")[at] ?? "none";
}

function loadOn(node: TestNode): Load {
  return new Load({
    targets: [{ name: "node", url: node.url, keepAliveClients: 4, oneShotClients: 4 }],
    pauseMs: 15,
  });
}

function assertNoFailure(load: Load): void {
  const { requests, failed, kinds } = load.chapter.all;
  assertEquals([failed, [...kinds]], [0, []]);
  assert(requests > 100, `only ${requests} requests`);
}

for (const mode of ["auto", "reload"]) {
  Deno.test(`--apply ${mode}: no request fails while servers come, change, drain and go, and bases change`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await using node = await testNode({ endpoints: etcd.endpoints, args: ["--apply", mode] });
    await using fixed = startOrigin("fixed");
    await using guest = startOrigin("guest");
    const { put, del } = registry(etcd);
    await put("fixed", fixed.address);
    node.start();
    await node.untilAnswer("fixed");
    await using load = loadOn(node);
    load.start();
    for (let round = 0; round < 3; round++) {
      load.mark(`round ${round}`);
      await put("guest", guest.address);
      await load.firstAnswerFrom("guest");
      await put("guest", { address: guest.address, weight: 10 + round });
      await put("guest", { address: guest.address, state: "drain" });
      await waitFor(
        "weight 0",
        async () => (await node.runningServers("backend")).some(({ weight }) => weight === 0),
      );
      await put("guest", guest.address);
      await waitFor(
        "weight 100",
        async () => (await node.runningServers("backend")).every(({ weight }) => weight === 100),
      );
      // A service that is new changes the base, which is a reload.
      await etcd.put(`/services/other${round}/x`, guest.address);
      await node.untilServers(`other${round}`, ["x"]);
      await del("guest");
      await node.untilServers("backend", ["fixed"]);
      await waitFor("enough requests", () => load.chapter.all.requests > 100);
      assertNoFailure(load);
    }
    await load.stop();
    const steps = await node.metric('steps_total{kind="add"}');
    if (mode === "auto") assert(steps >= 3, `${steps} adds at run time`);
    else assertEquals(steps, 0);
  });
}

Deno.test("a running request outlives the removal of its server, whose name comes back with another address", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using slow = startOrigin("slow");
  await using other = startOrigin("other");
  const { put, del } = registry(etcd);
  await put("web", slow.address);
  node.start();
  await node.untilAnswer("slow");
  slow.hold();
  const running = node.request();
  await waitFor("the request", () => slow.inFlight === 1);
  await del("web");
  await waitFor("a pending removal", () => node.metric("pending_removals"));
  await put("web", other.address);
  await node.untilAnswer("other");
  slow.release();
  assertEquals(await running, { status: 200, body: "slow" });
  assertEquals(await node.metric('plans_total{kind="reload"}'), 0);
  await del("web");
  await node.untilServers("backend", []);
  await waitFor("no pending removal", async () => await node.metric("pending_removals") === 0);
});

Deno.test("a WebSocket outlives the removal of its server, and a reload", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  const port = pickPort();
  await using _server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(`echo ${data}`);
    return response;
  });
  const { put, del } = registry(etcd);
  await put("ws", { address: `127.0.0.1:${port}`, check: { disabled: true } });
  node.start();
  await node.untilServers("backend", ["ws"]);
  const socket = new WebSocket(node.url.replace("http:", "ws:"));
  const answers: string[] = [];
  socket.onmessage = ({ data }) => answers.push(String(data));
  await waitFor("the WebSocket", () => socket.readyState === WebSocket.OPEN);
  const talk = async (text: string) => {
    socket.send(text);
    await waitFor(`echo ${text}`, () => answers.includes(`echo ${text}`));
  };
  await talk("before");
  await del("ws");
  await waitFor("a pending removal", () => node.metric("pending_removals"));
  await talk("after the removal");
  await etcd.put("/services/other/x", `127.0.0.1:${port}`);
  await node.untilServers("other", ["x"]);
  await talk("after the reload");
  socket.close();
  await waitFor("no old worker", async () => (await node.state()).haproxy.oldWorkers === 0, {
    deadlineMs: 40_000,
  });
});

for (const mode of ["auto", "reload"]) {
  Deno.test(`--apply ${mode}: a server that nobody has seen healthy gets no request`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await using node = await testNode({ endpoints: etcd.endpoints, args: ["--apply", mode] });
    await using good = startOrigin("good");
    await using sick = startOrigin("sick", { status: 500 });
    const { put } = registry(etcd);
    await put("good", { address: good.address, check: { path: "/" } });
    node.start();
    await node.untilAnswer("good");
    await using load = loadOn(node);
    load.start();
    await put("closed", { address: `127.0.0.1:${pickPort()}`, check: { path: "/" } });
    await put("sick", { address: sick.address, check: { path: "/" } });
    await node.untilServers("backend", ["closed", "good", "sick"]);
    const seen = load.chapter.all.requests;
    await waitFor("200 more requests", () => load.chapter.all.requests > seen + 200);
    assertNoFailure(load);
    assertEquals(await stat(node, "closed", "econ"), "0");
    assertEquals(await stat(node, "sick", "stot"), "0");

    sick.behaviour.status = 200;
    await load.firstAnswerFrom("sick");
    await load.stop();
    assertNoFailure(load);
  });
}

Deno.test("a server that moves to a dead port gets no request there, and one that moves to a live port serves at once", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using fixed = startOrigin("fixed");
  await using first = startOrigin("first");
  await using second = startOrigin("second");
  const { put } = registry(etcd);
  await put("fixed", fixed.address);
  await put("mover", first.address);
  node.start();
  await node.untilServers("backend", ["fixed", "mover"]);
  await using load = loadOn(node);
  load.start();
  await load.firstAnswerFrom("first");
  const dead = `127.0.0.1:${pickPort()}`;
  await put("mover", dead);
  await waitFor(
    "the new address",
    async () => (await node.runningServers("backend")).some(({ address }) => address === dead),
  );
  const seen = load.chapter.all.requests;
  await waitFor("200 more requests", () => load.chapter.all.requests > seen + 200);
  assertEquals(await stat(node, "mover", "econ"), "0");
  await put("mover", second.address);
  await load.firstAnswerFrom("second");
  await load.stop();
  assertNoFailure(load);
  assertEquals(await node.metric('plans_total{kind="reload"}'), 0);
});

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

Deno.test("an address that somebody else holds vetoes the reload, and clients of the old one notice nothing", async () => {
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
      deadlineMs: 20_000,
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
    deadlineMs: 20_000,
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
