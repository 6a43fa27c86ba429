import { assert } from "@std/assert";
import { pause } from "../support/mod.ts";
import { testNode } from "../support/node.ts";
import { keyOf, setting } from "../support/node_keys.ts";

// The sanitizers are off in this file: timers of grpc-js outlive a client that is closed.

const ARGS = ["--node-id", "lb1", "--node-ttl", "60s"];
const ADDRESS = "127.0.0.1:9";
/** No node allows it. */
const REJECTED = "169.254.1.1:80";
/** A revision that no client waits for is written 5 s after the one before. */
const SOON_MS = 2_500;

Deno.test("an urgent change for which HAProxy has nothing to do is published as soon as any other", async () => {
  await using place = await setting();
  await using node = await testNode({ endpoints: place.etcd.endpoints, args: ARGS });
  await place.put("one", ADDRESS);
  await place.put("bad", REJECTED);
  node.start();
  await place.untilApplied("lb1", await place.override("one", { state: "drain" }));
  const changes: Record<string, (round: number) => Promise<bigint>> = {
    "an entry that is overridden to drain, and drains": () =>
      place.put("one", { address: ADDRESS, state: "drain" }),
    "another override of what drains": (round) => place.override("one", { state: "drain", weight: round }),
    "the end of an override over what drains": () => place.delOverride("one"),
    "an entry that is rejected, and drains": () => place.put("bad", { address: REJECTED, state: "drain" }),
    "the end of an entry that is rejected": () => place.del("bad"),
    "an override of nobody": (round) => place.override("nobody", { weight: round }),
  };
  const took: Record<string, number> = {};
  for (const round of [1, 2]) {
    for (const [what, change] of Object.entries(changes)) {
      const startedAt = performance.now();
      await place.untilApplied("lb1", await change(round));
      took[what] = Math.min(took[what] ?? Infinity, performance.now() - startedAt);
    }
    await place.override("one", { state: "drain" });
    await place.untilApplied("lb1", await place.put("bad", REJECTED));
  }
  for (const [what, ms] of Object.entries(took)) assert(ms < SOON_MS, `${what} took ${Math.round(ms)} ms`);
});

Deno.test("registrations and weights are published every five seconds at most", async () => {
  await using place = await setting();
  await using node = await testNode({ endpoints: place.etcd.endpoints, args: ARGS });
  node.start();
  await place.untilApplied("lb1", await place.put("one", ADDRESS));
  const before = Number((await keyOf(place, "lb1/applied")).version);
  const startedAt = performance.now();
  let changes = 0;
  while (performance.now() - startedAt < 7_000) {
    changes++;
    await place.put("one", { address: ADDRESS, weight: 1 + changes % 100 });
    await place.put(`guest${changes}`, ADDRESS);
    await pause(50);
  }
  const puts = Number((await keyOf(place, "lb1/applied")).version) - before;
  const seconds = (performance.now() - startedAt) / 1_000;
  assert(puts <= seconds / 5 + 1, `${puts} puts of applied in ${seconds} s`);
});
