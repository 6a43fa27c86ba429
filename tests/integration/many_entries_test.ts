import { assert } from "@std/assert";
import { createEtcdClient, type EtcdClient } from "../../lib/etcd/client.ts";
import { ask } from "../../lib/haproxy/socket.ts";
import { startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { type NodeState, testNode } from "../support/node.ts";

const SERVICES = 500;
const SERVERS_EACH = 100;
const DEADLINE_MS = 120_000;
/** Twice of what it takes, and more on a machine that is busy. */
const MAX_MIB = 1_500;

/**
 * Registers all servers, a service in one transaction: etcd takes 128 operations in each. They are not checked, for
 * 25,000 checks a second would be all that this machine does.
 */
async function register(client: EtcdClient, address: string): Promise<void> {
  const value = JSON.stringify({ address, check: { disabled: true } });
  for (let service = 0; service < SERVICES; service++) {
    const puts = Array.from(
      { length: SERVERS_EACH },
      (_, server) => client.kv.put(`/services/service-${service}/server-${server}`).value(value),
    );
    // A condition that always holds: the prefix itself is never written.
    await client.kv.if("/services/", "Version", "==", 0).then(...puts).commit();
  }
}

/** How many servers HAProxy runs. */
async function runningServers(socket: string): Promise<number> {
  const text = await ask(socket, "show servers state");
  return text.split("\n").filter((line) => /^\d+ \S+ \d+ /.test(line)).length;
}

async function residentMib(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024);
}

Deno.test("a node reads 50,000 entries, serves them, and follows changes among them", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await using two = startOrigin("two");
  const client = createEtcdClient({ endpoints: etcd.endpoints });
  using cleanup = new DisposableStack();
  cleanup.defer(() => client.close());
  await register(client, one.address);
  await client.kv.put("/services/backend/one").value(one.address);

  const startedAt = performance.now();
  const { pid } = node.start({ args: ["--reload-interval", "1s"] });
  await waitFor(
    "all servers in HAProxy",
    async () => await runningServers(node.runtimeSocket) === SERVICES * SERVERS_EACH + 1,
    { deadlineMs: DEADLINE_MS, everyMs: 200 },
  );
  const servedMs = performance.now() - startedAt;
  const until = (backend: string, names: string) =>
    waitFor(`servers ${names} in ${backend}`, async () => {
      const seen = (await node.runningServers(backend)).map(({ name }) => name).sort().join();
      if (seen !== names) {
        throw new Error(`HAProxy runs ${seen}\n${node.controller.lines.slice(-15).join("\n")}`);
      }
      return true;
    }, { deadlineMs: DEADLINE_MS, everyMs: 200 });
  await node.untilAnswer("one");

  const changedAt = performance.now();
  await client.kv.put("/services/backend/two").value(two.address);
  await until("backend", "one,two");
  const changeMs = performance.now() - changedAt;
  await client.kv.delete().key("/services/backend/one");
  await until("backend", "two");
  await node.untilAnswer("two");
  // A new service comes by a reload.
  await client.kv.put("/services/another/server").value(two.address);
  await until("another", "server");

  const all = ({ services, rejections }: NodeState) =>
    services.length === SERVICES + 2 && rejections.length === 0;
  await waitFor("all of it in the state", async () => all(await node.state()), { deadlineMs: DEADLINE_MS });
  const mib = await residentMib(pid);
  console.log(
    `served after ${Math.round(servedMs)} ms, a change after ${Math.round(changeMs)} ms, ${mib} MiB`,
  );
  assert(mib < MAX_MIB, `the controller holds ${mib} MiB`);
});
