import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { startEtcdCluster, startOrigin } from "./mod.ts";
import { testNode } from "./node.ts";

const KILLED = fileURLToPath(new URL("./killed_controller.ts", import.meta.url));
const STEPS = {
  auto: ["looked", "staged", "committed", "before-change", "changed", "verified", "kept"],
  reload: [
    ...["staged", "checked", "committed", "state-written", "before-reload", "reloaded"],
    ...["verified", "kept", "state-removed"],
  ],
};

/** Makes a test of each step of a pass at which a controller may be killed. */
export function testCrashes(mode: keyof typeof STEPS): void {
  for (const step of STEPS[mode]) testCrash(mode, step);
}

function testCrash(mode: string, step: string): void {
  Deno.test(`a controller killed at "${step}" of --apply ${mode} adopts its HAProxy and converges`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await using node = await testNode({ endpoints: etcd.endpoints });
    await using one = startOrigin("one");
    await using two = startOrigin("two");
    await etcd.put("/services/backend/one", one.address);
    node.start();
    await node.untilAnswer("one");
    const { haproxy } = await node.untilState("HAProxy", ({ haproxy }) => haproxy.kind === "up");
    node.controller.kill("SIGKILL");
    await node.controller.status;

    await etcd.put("/services/backend/two", two.address);
    const killed = node.start({ program: KILLED, args: ["--apply", mode], env: { KILL_AT: step } });
    assertEquals((await killed.status).signal, "SIGKILL");
    assertEquals((await node.request()).status, 200);

    node.start({ args: ["--apply", mode] });
    await node.untilServers("backend", ["one", "two"]);
    const state = await node.untilState(
      "readiness",
      ({ readiness }) => readiness.ready && readiness.stale === false,
    );
    assertEquals(state.haproxy.pid, haproxy.pid);
    assert(state.haproxy.adopted);
    if (mode === "auto") assertEquals(await node.metric('plans_total{kind="reload"}'), 0);
    const left = await Array.fromAsync(Deno.readDir(node.dir));
    assertEquals(left.map(({ name }) => name).sort(), ["haproxy.cfg", "state"]);
  });
}
