import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type EtcdCluster, startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { type TestNode, testNode } from "../support/node.ts";

async function put(etcd: EtcdCluster, id: string, value: string): Promise<void> {
  await etcd.put(`/services/${id}`, value);
}

/** Waits until requests are answered by exactly these names. */
async function untilAnswersFrom(node: TestNode, names: readonly string[]): Promise<void> {
  await waitFor(`answers from ${names}`, async () => {
    const answers = await Promise.all(names.concat(names).map(() => node.request()));
    const seen = [...new Set(answers.map(({ status, body }) => status === 200 ? body : String(status)))]
      .sort();
    if (seen.join() !== [...names].sort().join()) throw new Error(`answers from ${seen}`);
    return true;
  }, { deadlineMs: 30_000 });
}

Deno.test("a node answers 503 first, then follows servers that come, change and go", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await using two = startOrigin("two");
  node.start();
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  assertEquals((await node.request()).status, 503);

  await put(etcd, "backend/one", one.address);
  await untilAnswersFrom(node, ["one"]);
  await put(etcd, "backend/two", JSON.stringify({ address: "127.0.0.1", port: two.port, weight: 100 }));
  await untilAnswersFrom(node, ["one", "two"]);
  assertStringIncludes(await node.readConfig(), `server two ${two.address} weight 100 check`);

  await put(etcd, "backend/one", two.address);
  await untilAnswersFrom(node, ["two"]);
  await etcd.delete("/services/backend/one");
  await node.untilServers("backend", ["two"]);
  await etcd.delete("/services/backend/two");
  await node.untilServers("backend", []);
  assertEquals((await node.request()).status, 503);
});

Deno.test("drain is weight 0, maint is disabled, and an operator's override wins over the entry", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  const [a, b] = [startOrigin("a"), startOrigin("b")];
  await using _a = a;
  await using _b = b;
  await put(etcd, "backend/a", JSON.stringify({ address: a.address, weight: 10 }));
  await put(etcd, "backend/b", JSON.stringify({ address: b.address, weight: 20 }));
  node.start();
  await untilAnswersFrom(node, ["a", "b"]);

  await put(etcd, "backend/a", JSON.stringify({ address: a.address, state: "drain" }));
  await untilAnswersFrom(node, ["b"]);
  await put(etcd, "backend/a", JSON.stringify({ address: a.address, state: "maint" }));
  await waitFor(
    "a in maint",
    async () => (await node.runningServers("backend")).find(({ name }) => name === "a")?.maint,
  );
  await put(etcd, "backend/a", JSON.stringify({ address: a.address, weight: 10 }));
  await untilAnswersFrom(node, ["a", "b"]);

  await etcd.put("/haproxy/settings/servers/backend/b", '{"state":"drain"}');
  await untilAnswersFrom(node, ["a"]);
  await etcd.put("/haproxy/settings/servers/backend/b", '{"weight":7}');
  await waitFor(
    "weight 7",
    async () =>
      (await node.runningServers("backend")).some(({ name, weight }) => name === "b" && weight === 7),
  );
  await etcd.delete("/haproxy/settings/servers/backend/b");
  await waitFor(
    "weight 20",
    async () =>
      (await node.runningServers("backend")).some(({ name, weight }) => name === "b" && weight === 20),
  );
});

Deno.test("100 registrations at once take at most three passes", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  node.start();
  await node.untilState("readiness", ({ readiness }) => readiness.ready);
  await waitFor("a pass with nothing to do", () => node.metric('plans_total{kind="nothing"}'));
  const before = await node.metric("passes_total");
  const names = Array.from({ length: 100 }, (_, index) => `s${index}`);
  await putAll(etcd, names);
  await node.untilServers("backend", names);
  const passes = await node.metric("passes_total") - before;
  assert(passes <= 3, `${passes} passes`);
});

/** 100 puts in a row through one connection: some 100 ms. */
async function putAll(etcd: EtcdCluster, names: readonly string[]): Promise<void> {
  const { Etcd3 } = await import("etcd3");
  const client = new Etcd3({ hosts: [...etcd.endpoints] });
  try {
    await Promise.all(
      names.map((name, index) => client.put(`/services/backend/${name}`).value(`127.0.0.1:${9_000 + index}`)),
    );
  } finally {
    client.close();
  }
}

Deno.test("one bad entry and one name that does not resolve leave the others served", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using good = startOrigin("good");
  await put(etcd, "backend/bad", '{"address":"127.0.0.1:80","weight":1000}');
  await put(etcd, "backend/injection", "127.0.0.1:80 check\n    server evil 127.0.0.1:81");
  await put(etcd, "backend/name", "does-not-resolve.invalid:80");
  await put(etcd, "backend/good", good.address);
  node.start();
  await node.untilServers("backend", ["good", "name"]);
  await node.untilAnswer("good");
  const state = await node.state();
  assertEquals(state.rejections.map(({ key }) => key), [
    "/services/backend/bad",
    "/services/backend/injection",
  ]);
  assertStringIncludes(state.rejections[0]?.reason ?? "", "weight");
  assert(!(await node.readConfig()).includes("evil"));
  const logged = () => node.controller.lines.filter((line) => line.includes("entry rejected")).length;
  await waitFor("a line for each", () => logged() >= 2);
  assertEquals(logged(), 2);
});
