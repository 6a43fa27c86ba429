import { assertEquals, assertRejects } from "@std/assert";
import { ControllerError } from "../../lib/util/errors.ts";
import { createEtcdClient } from "../../lib/etcd/client.ts";
import { createMirror } from "../../lib/etcd/mirror.ts";
import { newestChange } from "../../lib/ack/newest_change.ts";
import { pause, startEtcdCluster, waitFor } from "../support/mod.ts";

// The sanitizers are off in this file: timers of grpc-js outlive a client that is closed.

const PREFIXES = ["/services/", "/haproxy/settings/servers/"];

async function setting() {
  const etcd = await startEtcdCluster({ members: 1 });
  const client = createEtcdClient({ endpoints: etcd.endpoints });
  const put = async (key: string) => BigInt((await client.kv.put(key).value("x").exec()).header.revision);
  const del = async (key: string) => BigInt((await client.kv.delete().key(key).exec()).header.revision);
  const header = async () => (await client.kv.get("x").exec()).header;
  return {
    etcd,
    client,
    put,
    del,
    header,
    compact: (revision: bigint) => etcd.etcdctl("compact", `${revision}`),
    newest: async (at?: bigint, clusterId?: string) => {
      const { revision, cluster_id } = await header();
      const signal = AbortSignal.timeout(60_000);
      return await newestChange(client, {
        prefixes: PREFIXES,
        at: at ?? BigInt(revision),
        clusterId: clusterId ?? cluster_id,
        signal,
      });
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await etcd[Symbol.asyncDispose]();
    },
  };
}

Deno.test("newestChange() finds the newest put below any prefix, and counts no other key", async () => {
  await using place = await setting();
  await place.put("/services/a/1");
  const newest = await place.put("/haproxy/settings/servers/a/1");
  await place.put("/services2/a/1");
  await place.del("/services2/a/1");
  assertEquals(await place.newest(), newest);
});

Deno.test("newestChange() finds a deletion, also of a key that came and went since the newest put", async () => {
  await using place = await setting();
  await place.put("/services/a/1");
  await place.put("/services/a/2");
  const newest = await place.del("/services/a/2");
  await place.put("/other");
  assertEquals(await place.newest(), newest);
});

Deno.test("newestChange() finds the deletion of the last key", async () => {
  await using place = await setting();
  await place.put("/services/a/1");
  const newest = await place.del("/services/a/1");
  await place.put("/other");
  assertEquals(await place.newest(), newest);
});

Deno.test("newestChange() looks no further than the revision that it is asked for", async () => {
  await using place = await setting();
  const first = await place.put("/services/a/1");
  const at = await place.put("/other");
  await place.put("/services/a/2");
  assertEquals(await place.newest(at), first);
});

Deno.test("newestChange() knows nothing newer than a compaction behind the newest put", async () => {
  await using place = await setting();
  await place.put("/services/a/1");
  const compacted = await place.put("/other");
  await place.put("/other");
  await place.compact(compacted);
  assertEquals(await place.newest(), compacted);
  await place.compact(compacted + 1n);
  assertEquals(await place.newest(compacted), compacted);
});

Deno.test("newestChange() comes to an end while the registry changes all the time", async () => {
  await using place = await setting();
  const newest = await place.put("/services/a/1");
  await place.put("/other");
  const { revision } = await place.header();
  const over = new AbortController();
  const churn = (async () => {
    while (!over.signal.aborted) await place.put("/services/a/2").then(() => pause(20));
  })();
  try {
    assertEquals(await place.newest(BigInt(revision)), newest);
  } finally {
    over.abort();
    await churn;
  }
});

Deno.test("newestChange() rejects when its time is up before it looks", { timeout: 60_000 }, async () => {
  await using place = await setting();
  await place.put("/services/a/1");
  await place.put("/other");
  const { revision, cluster_id: clusterId } = await place.header();
  const options = { prefixes: PREFIXES, at: BigInt(revision), clusterId, signal: AbortSignal.abort() };
  await assertRejects(
    () => newestChange(place.client, options),
    ControllerError,
    "Cannot find the newest change of the registry: the time is up",
  );
});

Deno.test("newestChange() finds no change in another cluster", async () => {
  await using place = await setting();
  await place.put("/services/a/1");
  await place.put("/other");
  await assertRejects(() => place.newest(undefined, "17"), Error, "cluster id changed");
});

Deno.test("createMirror() finds out that it holds for later revisions, while only other keys change", async () => {
  await using place = await setting();
  await place.put("/services/a/1");
  const stop = new AbortController();
  const mirror = createMirror({
    client: place.client,
    prefixes: PREFIXES,
    onChange: () => {},
    onEvent: () => {},
    checksMs: { advance: 50 },
  });
  const followed = mirror.run(stop.signal);
  await waitFor("a snapshot", () => mirror.snapshot());
  const other = await place.put("/other");
  await waitFor("the later revision", async () => (await mirror.snapshot())?.revision === other);
  const revision = await place.put("/services/a/2");
  const both = await waitFor("the change", async () => {
    const snapshot = await mirror.snapshot();
    return snapshot?.entries.length === 2 && snapshot;
  });
  assertEquals(both.revision, revision);
  stop.abort();
  await followed;
});
