import { assert, assertEquals } from "@std/assert";
import { pickPort, startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { testNode } from "../support/node.ts";
import { assertNoFailure, loadOn, registry, stat } from "../support/runtime.ts";

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
  Deno.test(`--apply ${mode}: a server that was not seen healthy gets no request`, async () => {
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
