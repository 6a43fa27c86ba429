import { assertEquals } from "@std/assert";
import { createIdleLimit } from "../../lib/node/idle_limit.ts";
import { showProcesses } from "../../lib/haproxy/master_cli.ts";
import { createStateFiles } from "../../lib/haproxy/state/files.ts";
import { HttpConnection } from "../../tools/local/http_connection.ts";
import { startOrigin, tempDir, waitFor } from "../support/mod.ts";
import { type TestNode, testNode } from "../support/node.ts";
import { setting } from "../support/node_keys.ts";

// The sanitizers are off in this file: timers of grpc-js outlive a client that is closed.

const EMBEDDED = await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url));

function baseOf(seconds: number): string {
  return `defaults\n timeout http-request ${seconds}s\nfrontend f\n bind :80\n`;
}

Deno.test("createIdleLimit() lets the longest limit of any text count until no retired worker is left", async () => {
  await using dir = await tempDir();
  const limit = createIdleLimit(`${dir.path}/idle-limit`, createStateFiles());
  const [long, short] = [baseOf(5), baseOf(1)];
  const seen = [
    await limit([long, long], { isAlone: true }),
    // The reload waits.
    await limit([long, short], { isAlone: true }),
    await limit([long, short], { isAlone: false }),
    await limit([short, short], { isAlone: false }),
    await limit([short, short], { isAlone: true }),
    await limit([short, "frontend f\n"], { isAlone: true }),
  ];
  assertEquals(seen, [10_000, 10_000, 10_000, 10_000, 2_000, undefined]);
});

Deno.test("createIdleLimit() keeps the limit of the run before", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/idle-limit`;
  const limitIn = (isAlone: boolean, base: string) =>
    createIdleLimit(path, createStateFiles())([base], { isAlone });
  const seen = [
    await limitIn(true, baseOf(5)),
    await limitIn(false, baseOf(1)),
    await limitIn(true, baseOf(1)),
    await limitIn(false, "frontend f\n"),
    await limitIn(false, baseOf(1)),
  ];
  assertEquals(seen, [10_000, 10_000, 2_000, undefined, undefined]);
  await Deno.writeTextFile(path, "garbage");
  assertEquals(await limitIn(false, baseOf(1)), 2_000);
});

Deno.test("createIdleLimit() keeps the limit as soon as it can", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/state/idle-limit`;
  const limit = createIdleLimit(path, createStateFiles());
  assertEquals(await limit([baseOf(5)], { isAlone: false }), 10_000);
  await Deno.mkdir(`${dir.path}/state`);
  assertEquals(await limit([baseOf(1)], { isAlone: false }), 10_000);
  assertEquals(await Deno.readTextFile(path), "10000");
});

async function workersOf(node: TestNode) {
  const { workers, oldWorkers } = await showProcesses(node.masterSocket);
  return { now: workers.length, old: oldWorkers.length };
}

Deno.test("an adopted worker of a template with longer timeouts holds a revision up for as long as it takes requests", async () => {
  await using place = await setting();
  await using stays = startOrigin("stays");
  await using leaves = startOrigin("leaves");
  await using node = await testNode({ endpoints: place.etcd.endpoints });
  const template = `${node.dir}/template.eta`;
  const args = ["--node-id", "lb1", "--node-ttl", "60s", "--template", template];
  const withTimeouts = (value: string) =>
    Deno.writeTextFile(template, EMBEDDED.replace(/(timeout http-\S+) \S+/g, `$1 ${value}`));
  const restart = async () => {
    node.controller.kill("SIGKILL");
    await node.controller.status;
    node.start({ args });
  };
  await withTimeouts("60s");
  await place.put("stays", stays.address);
  await place.put("leaves", leaves.address);
  node.start({ args });
  await node.untilServers("backend", ["leaves", "stays"]);
  await node.untilAnswer("leaves");
  const client = await HttpConnection.open(new URL(node.url));
  await client.get("/", { keepAlive: true });

  await withTimeouts("500ms");
  await restart();
  await waitFor("a worker that was retired", async () => (await workersOf(node)).old === 1);
  await node.untilState("the new base", ({ plan }) => plan?.kind === "reload" && plan.outcome === "reached");
  await restart();
  await node.untilState(
    "the end of the start",
    ({ revision, readiness }) => revision !== null && readiness.ready,
  );
  const revision = await place.put("leaves", { address: leaves.address, state: "drain" });
  await node.untilState(
    "the drain",
    ({ services }) =>
      services[0]?.servers.some(({ id, state }) => id === "leaves" && state === "drain") ?? false,
  );
  const isPublished = async () => (await place.nodes()).some(({ applied = 0n }) => applied >= revision);
  const until = performance.now() + 3 * 1_000;
  const early = await waitFor("three times the new limit", async () => {
    if (await isPublished()) return ["published"];
    return performance.now() > until ? [] : undefined;
  });
  assertEquals([early, await workersOf(node)], [[], { now: 1, old: 1 }]);
  client.close();
  await place.untilApplied("lb1", revision);
});
