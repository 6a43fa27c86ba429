import { assertEquals, assertRejects } from "@std/assert";
import { startEtcdCluster, startOrigin, waitFor } from "../../../support/mod.ts";

Deno.test("startEtcdCluster() gives a cluster that outlives a killed member", async () => {
  await using cluster = await startEtcdCluster({ members: 3 });
  await cluster.etcdctl("put", "/key", "1");
  const killed = await cluster.leader();
  await killed.kill();
  assertEquals(killed.running, false);
  await cluster.leader();
  await cluster.etcdctl("put", "/key", "2");

  await killed.start();
  const read = ["--endpoints", killed.endpoint, "get", "/key", "--print-value-only"];
  assertEquals(await cluster.etcdctl(...read), "2");
});

Deno.test("EtcdMember.start() comes back with its data", async () => {
  await using cluster = await startEtcdCluster({ members: 1 });
  await cluster.etcdctl("put", "/key", "value");
  await cluster.member(0).stop();
  assertEquals(cluster.member(0).running, false);
  await cluster.member(0).start();
  assertEquals(await cluster.etcdctl("get", "/key", "--print-value-only"), "value");
});

Deno.test("EtcdMember.freeze() makes a member silent until it is resumed", async () => {
  await using cluster = await startEtcdCluster({ members: 1 });
  const member = cluster.member(0);
  member.freeze();
  await assertRejects(
    () => member.etcdctl("--command-timeout", "300ms", "get", "/key"),
    Error,
    "deadline exceeded",
  );
  await assertRejects(() => cluster.etcdctl("get", "/key"), Error, "no member runs");
  member.resume();
  await waitFor("etcd to answer again", () => cluster.etcdctl("endpoint", "health").then(() => true));
});

Deno.test("startEtcdCluster() fails with etcd's own words when a port is taken", async () => {
  await using origin = startOrigin("in the way");
  const start = () => startEtcdCluster({ members: 1, clientPorts: [origin.port] });
  await assertRejects(start, Error, "address already in use");
});

Deno.test("startEtcdCluster() leaves neither processes nor its directory behind", async () => {
  const cluster = await startEtcdCluster({ members: 1 });
  const directory = cluster.member(0).dataDir;
  await cluster[Symbol.asyncDispose]();
  assertEquals(cluster.member(0).running, false);
  await assertRejects(() => Deno.stat(directory), Deno.errors.NotFound);
});
