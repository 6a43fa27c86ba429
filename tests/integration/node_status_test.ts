import { assert, assertEquals } from "@std/assert";
import { startOrigin } from "../support/mod.ts";
import { testNode } from "../support/node.ts";
import { keyOf, setting } from "../support/node_keys.ts";

// The sanitizers are off in this file: timers of grpc-js outlive a client that is closed.

const ARGS = ["--node-id", "lb1", "--node-ttl", "60s"];

Deno.test("a node that starts tells soon how many servers are up, and puts little for it", async () => {
  await using place = await setting();
  await using one = startOrigin("one");
  await using two = startOrigin("two");
  await place.put("one", one.address);
  await place.put("two", two.address);
  await using node = await testNode({ endpoints: place.etcd.endpoints, args: ARGS });
  node.start();
  await place.untilNode("a status", "lb1", ({ status }) => status !== undefined);
  const startedAt = performance.now();
  const known = await place.untilNode("two servers up", "lb1", ({ status }) => status?.servers.up === 2);
  // Other changes of the status are put 10 s after it.
  const tookMs = performance.now() - startedAt;
  assert(tookMs < 8_000, `the counts came ${Math.round(tookMs)} ms after the first status`);
  assertEquals(known.status?.servers, { total: 2, up: 2 });
  assert(Number((await keyOf(place, "lb1/status")).version) <= 3);
});
