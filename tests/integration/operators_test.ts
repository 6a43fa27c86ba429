import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { testNode } from "../support/node.ts";
import { runProgram } from "../support/program.ts";
import { protectEtcd, ROOT } from "../support/secured_etcd.ts";

const OVERRIDE = "/haproxy/settings/servers/backend/one";

async function setting() {
  const etcd = await startEtcdCluster({ members: 1 });
  return {
    etcd,
    run: (...args: string[]) => runProgram([...args, "--endpoints", etcd.endpoints.join()]),
    value: async (key: string) => (await etcd.get(key))?.value ?? "",
    async [Symbol.asyncDispose]() {
      await etcd[Symbol.asyncDispose]();
    },
  };
}

Deno.test("drain, weight, maint and ready write the override of a server, keep each other's part, and take all back", async () => {
  await using place = await setting();
  await place.etcd.put("/services/backend/one", "127.0.0.1:9");
  const drained = await place.run("drain", "backend/one");
  assertEquals([drained.code, drained.stderr], [0, ""]);
  assertMatch(drained.stdout, /^backend\/one: state drain at revision \d+\n$/);
  assertEquals(await place.value(OVERRIDE), '{"state":"drain"}');
  await place.run("weight", "backend/one", "7");
  await place.run("maint", "backend/one");
  assertEquals(await place.value(OVERRIDE), '{"state":"maint","weight":7}');
  assertMatch((await place.run("maint", "backend/one")).stdout, /state maint already/);
  assertMatch(
    (await place.run("ready", "backend/one")).stdout,
    /^backend\/one: override deleted at revision \d+\n$/,
  );
  assertEquals(await place.value(OVERRIDE), "");
  const again = await place.run("ready", "backend/one");
  assertEquals([again.code, again.stdout], [0, "backend/one: there is no override\n"]);
});

Deno.test("an override of a server that is not registered is written, and said to wait", async () => {
  await using place = await setting();
  const result = await place.run("drain", "backend/one", "--wait");
  assertEquals(result.code, 0);
  assertStringIncludes(result.stderr, "backend/one is not registered: the override applies once it is");
  assertStringIncludes(result.stdout, "no node is alive");
  assertEquals(await place.value(OVERRIDE), '{"state":"drain"}');
  assertEquals((await place.run("ready", "backend/one")).stderr, "");
});

Deno.test("an override that cannot be written is told in one line: which, why, and by whom", async () => {
  await using place = await setting();
  const [url = ""] = place.etcd.endpoints;
  await protectEtcd(place.etcd, { nobody: "x" });
  await place.etcd.etcdctl(...ROOT, "user", "revoke-role", "nobody", "everything");
  const refused = await runProgram(
    ["drain", "backend/one", "--endpoints", url, "--user", "nobody"],
    { ETCD_PASSWORD: "x" },
  );
  assertEquals(
    [refused.code, refused.stderr],
    [
      1,
      `etcd-haproxy: Cannot override backend/one: etcd refuses user nobody: no permission to read ${OVERRIDE}\n`,
    ],
  );
  place.etcd.member(0).process?.freeze();
  const frozen = await place.run("drain", "backend/one", "--wait");
  place.etcd.member(0).process?.resume();
  assertEquals(
    [frozen.code, frozen.stderr],
    [1, `etcd-haproxy: Cannot override backend/one: etcd at ${url} does not answer\n`],
  );
});

for (
  const args of [["drain"], ["drain", "backend"], ["weight", "backend/one"], ["weight", "backend/one", "257"]]
) {
  Deno.test(`${args.join(" ")} is a usage error`, async () => {
    const result = await runProgram(args);
    assertEquals([result.code, result.stdout], [2, ""]);
    assertMatch(result.stderr, /^etcd-haproxy: [^\n]+\n$/);
  });
}

Deno.test("drain --wait returns when every node has stopped sending to the server and its requests have ended", async () => {
  await using place = await setting();
  await using one = startOrigin("one");
  await using two = startOrigin("two");
  await place.etcd.put("/services/backend/one", one.address);
  await place.etcd.put("/services/backend/two", two.address);
  await using first = await testNode({ endpoints: place.etcd.endpoints, args: ["--node-id", "lb1"] });
  await using second = await testNode({ endpoints: place.etcd.endpoints, args: ["--node-id", "lb2"] });
  first.start();
  second.start();
  for (const node of [first, second]) {
    await node.untilAnswer("one");
    await node.untilAnswer("two");
  }
  one.hold();
  const running: Promise<{ body: string }>[] = [];
  await waitFor("a request on the one that is drained", () => {
    running.push(first.request());
    return one.inFlight > 0;
  });
  const draining = place.run("drain", "backend/one", "--wait", "--timeout", "60s");
  for (const node of [first, second]) {
    await waitFor("weight 0", async () => {
      return (await node.runningServers("backend")).some(({ name, weight }) =>
        name === "one" && weight === 0
      );
    });
  }
  one.release();
  const drained = await draining;
  assertEquals([drained.code, drained.stderr, one.inFlight], [0, "", 0]);
  assertStringIncludes(drained.stdout, "applied by lb1, lb2");
  const seen = one.requests;
  for (const node of [first, second, first, second]) assertEquals((await node.request()).body, "two");
  assertEquals(one.requests, seen);
  assertEquals((await Promise.all(running)).every(({ body }) => body === "one" || body === "two"), true);

  const ready = await place.run("ready", "backend/one", "--wait", "--timeout", "60s");
  assertEquals(ready.code, 0);
  await first.untilAnswer("one");
});

Deno.test("drain --wait exits with 1 and names the node that is not in time", async () => {
  await using place = await setting();
  await place.etcd.put("/services/backend/one", "127.0.0.1:9");
  await place.etcd.put("/haproxy/nodes/lb1/applied", "1");
  const result = await place.run("drain", "backend/one", "--wait", "--timeout", "2s");
  assertEquals([result.code, result.stderr], [1, "etcd-haproxy: not in time: lb1 has applied revision 1\n"]);
});

Deno.test("ready --wait waits for a deletion of the override that came before it", async () => {
  await using place = await setting();
  await place.etcd.put("/services/backend/one", "127.0.0.1:9");
  await place.etcd.put("/haproxy/nodes/lb1/applied", "2");
  await place.run("drain", "backend/one");
  await place.run("ready", "backend/one");
  const again = await place.run("ready", "backend/one", "--wait", "--timeout", "2s");
  assertEquals([again.code, again.stderr], [1, "etcd-haproxy: not in time: lb1 has applied revision 2\n"]);
  await place.etcd.put("/haproxy/nodes/lb1/applied", "5");
  assertEquals((await place.run("ready", "backend/one", "--wait", "--timeout", "20s")).code, 0);
});
