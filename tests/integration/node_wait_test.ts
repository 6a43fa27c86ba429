import { assertEquals, assertStringIncludes } from "@std/assert";
import { createEtcdClient } from "../../lib/etcd/client.ts";
import { type NodesWait, type NodesWaitOptions, readNodes, waitForNodes } from "../../lib/ack/wait.ts";
import { formatStatus, type NodeStatus } from "../../lib/ack/keys.ts";
import { type EtcdCluster, startEtcdCluster, waitFor } from "../support/mod.ts";

// The sanitizers are off in this file: timers of grpc-js outlive a client that is closed.

const PREFIX = "/haproxy/nodes/";
const PATIENT_MS = 60_000;
const STATUS: NodeStatus = {
  node: "lb1",
  instance: "00ff00ff00ff00ff",
  revision: 1n,
  lagMs: 0,
  base: "",
  servers: { total: 0, up: 0 },
  draining: [],
  rejections: 0,
  held: 0,
  plan: "none",
  tookMs: 0,
  stale: false,
  at: "2026-01-02T03:04:05Z",
  version: "0.1.0",
  admin: "",
};

async function setting() {
  const etcd = await startEtcdCluster({ members: 1 });
  const client = createEtcdClient({ endpoints: etcd.endpoints });
  return {
    etcd,
    client,
    applied: (node: string, revision: bigint) =>
      client.kv.put(`${PREFIX}${node}/applied`).value(`${revision}`),
    status: (node: string, changes: Partial<NodeStatus>) =>
      client.kv.put(`${PREFIX}${node}/status`).value(formatStatus({ ...STATUS, ...changes })),
    wait: (options: Partial<NodesWaitOptions>): Promise<NodesWait> =>
      waitForNodes(client, { nodesPrefix: PREFIX, revision: 1n, limitMs: PATIENT_MS, ...options }),
    revision: async () => (await readNodes(client.kv, PREFIX)).revision,
    async [Symbol.asyncDispose]() {
      client.close();
      await etcd[Symbol.asyncDispose]();
    },
  };
}

/** How many watches etcd holds. */
async function watchers(etcd: EtcdCluster): Promise<number> {
  const metrics = await (await fetch(`${etcd.member(0).endpoint}/metrics`)).text();
  return Number(/^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(metrics)?.[1]);
}

const names = (end: NodesWait) =>
  end.kind === "passed" || end.kind === "behind"
    ? [end.kind, ...end.nodes.map(({ node }) => node)]
    : [end.kind];

Deno.test("waitForNodes() says that there is no node to wait for", async () => {
  await using place = await setting();
  assertEquals(await place.wait({}), { kind: "nobody" });
});

Deno.test("waitForNodes() waits until the last node has passed, and watches no longer then", async () => {
  await using place = await setting();
  await place.applied("lb1", 1n);
  await place.applied("lb2", 0n);
  const end = place.wait({});
  await waitFor("the watch", async () => await watchers(place.etcd) === 1);
  await place.applied("lb2", 1n);
  assertEquals(names(await end), ["passed", "lb1", "lb2"]);
  await waitFor("no watch", async () => await watchers(place.etcd) === 0);
});

Deno.test("waitForNodes() waits while a node drains the server, and for no other server", async () => {
  await using place = await setting();
  await place.status("lb1", { draining: ["api/a"] });
  await place.applied("lb1", 1n);
  assertEquals(names(await place.wait({ server: "api/b" })), ["passed", "lb1"]);
  const end = place.wait({ server: "api/a" });
  await waitFor("the watch", async () => await watchers(place.etcd) === 1);
  await place.status("lb1", { draining: [] });
  assertEquals(names(await end), ["passed", "lb1"]);
});

Deno.test("waitForNodes() does not wait for a node whose lease has ended", async () => {
  await using place = await setting();
  const { ID } = await place.client.kv.leaseClient.leaseGrant({ TTL: 2 });
  await place.client.kv.put(`${PREFIX}lb2/applied`).value("0").lease(ID);
  await place.applied("lb1", 1n);
  assertEquals(names(await place.wait({})), ["passed", "lb1"]);
});

Deno.test("waitForNodes() names those that are behind when the time is up", async () => {
  await using place = await setting();
  await place.applied("lb1", 1n);
  await place.applied("lb2", 0n);
  await place.client.kv.put(`${PREFIX}lb3/applied`).value("\u001b[31m");
  assertEquals(names(await place.wait({ limitMs: 300 })), ["behind", "lb2", "lb3"]);
});

Deno.test("waitForNodes() continues after a restart of etcd", async () => {
  await using place = await setting();
  await place.applied("lb1", 0n);
  const end = place.wait({});
  await waitFor("the watch", async () => await watchers(place.etcd) === 1);
  await place.etcd.member(0).stop();
  await place.etcd.member(0).start();
  await waitFor("etcd", () => place.applied("lb1", 1n), { deadlineMs: 30_000 });
  assertEquals(names(await end), ["passed", "lb1"]);
});

Deno.test("waitForNodes() says what keeps it from reading when etcd never answers", async () => {
  await using place = await setting();
  await place.etcd.member(0).stop();
  const end = await place.wait({ limitMs: 300 });
  assertEquals(end.kind, "unreadable");
});

Deno.test("waitForNodes() knows a store that is behind the revision, and one of another cluster", async () => {
  await using place = await setting();
  await place.applied("lb1", 1n);
  const now = await place.revision();
  assertEquals(await place.wait({ revision: now + 5n }), {
    kind: "other-store",
    reason: `the store is at revision ${now}, before ${now + 5n}`,
  });
  const end = await place.wait({ clusterId: "17" });
  assertEquals(end.kind, "other-store");
});

Deno.test("waitForNodes() rejects with the reason of its signal", async () => {
  await using place = await setting();
  await place.applied("lb1", 0n);
  const stop = new AbortController();
  const end = place.wait({ signal: stop.signal }).catch((error) => error.message);
  stop.abort(new Error("enough"));
  assertEquals(await end, "enough");
});

Deno.test("waitForNodes() says at once that the keys may not be read", async () => {
  await using place = await setting();
  const { etcd } = place;
  for (
    const command of [
      "user add root:pass",
      "user grant-role root root",
      "role add none",
      "user add poor:pass",
      "user grant-role poor none",
      "auth enable",
    ]
  ) await etcd.etcdctl(...command.split(" "));
  const poor = createEtcdClient({
    endpoints: etcd.endpoints,
    credentials: () => Promise.resolve({ auth: { username: "poor", password: "pass" } }),
  });
  const end = await waitForNodes(poor, { nodesPrefix: PREFIX, revision: 1n, limitMs: PATIENT_MS });
  poor.close();
  assertEquals(end.kind, "unreadable");
  assertStringIncludes(end.kind === "unreadable" ? end.reason : "", "user poor: no permission to read");
});
