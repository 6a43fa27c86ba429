import { assertEquals } from "@std/assert";
import {
  type EtcdCluster,
  type LocalProcess,
  pickPort,
  startEtcdCluster,
  startOrigin,
  tempDir,
  waitFor,
} from "../support/mod.ts";
import { controllerCommand, testNode } from "../support/node.ts";
import { startUnread } from "../support/unread.ts";

const LONG = { deadlineMs: 30_000 };

/** Starts the program with a log that is not read. */
function start(dir: string, args: readonly string[]): LocalProcess {
  const { command, args: before } = controllerCommand();
  return startUnread({ name: args[0] ?? "", command, args: [...before, ...args] }, { fifo: `${dir}/stderr` });
}

async function untilEnd(process: LocalProcess): Promise<number> {
  return (await waitFor("the end", () => process.exited, LONG)).code;
}

Deno.test("run: a log that is not read stops nothing: servers follow, and SIGTERM ends the node", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = await startOrigin("one");
  await using process = start(node.dir, [
    "run",
    ...node.places,
    "--admin-bind",
    `127.0.0.1:${node.adminPort}`,
  ]);
  await waitFor("the node", () => node.ready(), LONG);
  await etcd.put("/services/backend/bad", "nowhere");
  await etcd.put("/services/backend/one", one.address);
  await node.untilServers("backend", ["one"]);
  process.kill("SIGTERM");
  assertEquals(await untilEnd(process), 0);
});

Deno.test("register: a log that is not read stops nothing: the key is kept, and SIGTERM removes it", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using dir = await tempDir();
  const place = ["--service", "backend", "--id", "a", "--port", "8080", "--lease-ttl", "2"];
  await using process = start(dir.path, ["register", "--endpoints", etcd.endpoints.join(), ...place]);
  await untilKeptAndRemoved(etcd, process, "/services/backend/a");
});

Deno.test("the example service: a log that is not read stops nothing either", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using dir = await tempDir();
  const port = String(pickPort());
  await using process = startUnread({
    name: "backend",
    command: Deno.execPath(),
    args: ["run", "--quiet", "-A", new URL("../../backend/main.ts", import.meta.url).pathname],
    env: {
      ...Deno.env.toObject(),
      ETCD_ENDPOINTS: etcd.endpoints.join(),
      SERVICE_PORT: port,
      LEASE_TTL: "2",
    },
  }, { fifo: `${dir.path}/stderr` });
  await untilKeptAndRemoved(etcd, process, `/services/backend/${Deno.hostname()}-${port}`);
});

Deno.test("a program whose output is not read ends with its code although it cannot say why", async () => {
  await using dir = await tempDir();
  await using process = start(dir.path, ["run", "--no-such-option"]);
  assertEquals(await untilEnd(process), 2);
});

/** Each of these steps is worth a line of its log. */
async function untilKeptAndRemoved(
  etcd: EtcdCluster,
  process: LocalProcess,
  key: string,
): Promise<void> {
  const isThere = async () => await etcd.get(key) !== undefined;
  await waitFor("the key", isThere, LONG);
  await etcd.delete(key);
  await waitFor("the key again", isThere, LONG);
  process.kill("SIGTERM");
  assertEquals(await untilEnd(process), 0);
  assertEquals(await isThere(), false);
}
