import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { MAX_VALUE_BYTES } from "../../lib/registry/entry.ts";
import { createEtcdClient } from "../../lib/etcd/client.ts";
import { readAll } from "../../lib/etcd/read.ts";
import { watchOnce } from "../../lib/etcd/watch.ts";
import { startEtcdCluster, waitFor } from "../support/mod.ts";

const PREFIX = "/services/";
/** Near the limit of etcd, which is 1.5 MiB for a request. */
const LARGE = Buffer.alloc(1_400_000, "x");
/** Together more than the client takes in one message. */
const COUNT = 60;

Deno.test("values that are too large for one message are read, and watched past, all the same", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const client = createEtcdClient({ endpoints: etcd.endpoints });
  using cleanup = new DisposableStack();
  cleanup.defer(() => client.close());
  for (let i = 0; i < COUNT; i++) await client.kv.put(`${PREFIX}flood/${i}`).value(LARGE);
  await client.kv.put(`${PREFIX}web/good`).value("10.0.0.5:80");

  // A page that takes too long fails the read; the next one has smaller pages.
  const read = await waitFor("the registry", () => readAll(client.kv, [PREFIX]), { deadlineMs: 60_000 });
  assertEquals(read.entries.size, COUNT + 1);
  const lengths = new Set([...read.entries.values()].map(({ value }) => value.length));
  assertEquals(lengths, new Set([MAX_VALUE_BYTES + 1, "10.0.0.5:80".length]));

  const end = await watchOnce(client, {
    prefixes: [{ prefix: PREFIX, seen: 1n }],
    clusterId: read.clusterId,
    signal: AbortSignal.timeout(60_000),
    onEvents: () => {},
    onCreated: () => {},
  });
  assertEquals(end.kind, "gone", end.reason);
});
