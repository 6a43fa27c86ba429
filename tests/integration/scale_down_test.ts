import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { ask } from "../../lib/haproxy/socket.ts";
import { HttpConnection } from "../../tools/local/http_connection.ts";
import { type EtcdCluster, Load, pickPort, startEtcdCluster, tempDir, waitFor } from "../support/mod.ts";
import { type TestNode, testNode } from "../support/node.ts";
import { type Registered, startRegistered } from "../support/registered.ts";
import { startTcpProxy } from "../support/tcp_proxy.ts";

const SERVER = fileURLToPath(new URL("../support/served_command.ts", import.meta.url));

/** A process under `register`, called `web<n>` in registry and answers alike. It is registered when it answers. */
function startWeb(etcd: EtcdCluster, index: number): Registered {
  const port = pickPort();
  const id = `web${index}`;
  const command = [Deno.execPath(), "run", "--quiet", "--allow-net", SERVER, String(port), id];
  const flags = ["--check", "tcp", "--lease-ttl", "10", "--drain-timeout", "2m"];
  return startRegistered(etcd, { port, id, args: flags, command });
}

async function startNode(endpoints: readonly string[], name: string, ttl = "10s"): Promise<TestNode> {
  const node = await testNode({ endpoints, args: ["--node-id", name, "--node-ttl", ttl] });
  node.start();
  return node;
}

/** Clients of both kinds on each node. */
function startLoad(nodes: Readonly<Record<string, TestNode>>): Load {
  const targets = Object.entries(nodes).map(([name, { url }]) => ({
    name,
    url,
    keepAliveClients: 4,
    oneShotClients: 4,
  }));
  const load = new Load({ targets, pauseMs: 20 });
  load.start();
  return load;
}

const IDS = ["web1", "web2", "web3", "web4", "web5"];

/** Five processes, served by every node. */
async function startFive(etcd: EtcdCluster, nodes: readonly TestNode[]) {
  const webs = IDS.map((_, index) => startWeb(etcd, index + 1));
  await Promise.all(webs.map((web) => web.untilKey()));
  await Promise.all(nodes.map((node) => node.untilServers("backend", IDS)));
  return webs;
}

/** Asks all but the first to stop, at once, and waits until they have. */
async function leaveButFirst(webs: readonly Registered[]): Promise<void> {
  const stopping = webs.slice(1);
  stopping.forEach((web) => web.process.kill("SIGTERM"));
  assertEquals(await Promise.all(stopping.map((web) => web.untilEnd())), stopping.map(() => 0));
}

function acknowledgements(webs: readonly Registered[]): string[] {
  return webs.flatMap((web) => web.process.lines.filter((line) => line.includes("drained: acknowledged by")))
    .map((line) => /acknowledged by .*? after \d+ ms/.exec(line)?.[0] ?? line);
}

function assertNoFailure(load: Load): void {
  const { requests, failed, failures } = load.chapter.all;
  console.log(`      ${requests} requests, ${failed} failed`);
  assert(requests > 100);
  assertEquals(failures, []);
}

Deno.test("a service scales down from 5 to 1 under load, and no request fails", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using lb1 = await startNode(etcd.endpoints, "lb1");
  await using lb2 = await startNode(etcd.endpoints, "lb2");
  await using stack = new AsyncDisposableStack();
  const webs = await startFive(etcd, [lb1, lb2]);
  webs.forEach((web) => stack.use(web));
  await using load = startLoad({ lb1, lb2 });
  await load.firstAnswerFrom("web5", { deadlineMs: 30_000 });
  await leaveButFirst(webs);
  await load.stop();
  const acknowledged = acknowledgements(webs);
  console.log(`      ${acknowledged.join("\n      ")}`);
  assert(acknowledged.every((line) => line.includes("by lb1, lb2")));
  assertEquals(acknowledged.length, 4);
  assertNoFailure(load);
  await Promise.all([lb1, lb2].map((node) => node.untilServers("backend", ["web1"])));
});

Deno.test("a service scales down from 5 to 1 while a node is frozen: its lease runs out, and the others do not wait", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using lb1 = await startNode(etcd.endpoints, "lb1");
  await using lb2 = await startNode(etcd.endpoints, "lb2", "3s");
  await using stack = new AsyncDisposableStack();
  const webs = await startFive(etcd, [lb1, lb2]);
  webs.forEach((web) => stack.use(web));
  await using load = startLoad({ lb1 });
  await load.firstAnswerFrom("web5", { deadlineMs: 30_000 });
  lb2.controller.freeze();
  await leaveButFirst(webs);
  await load.stop();
  lb2.controller.resume();
  const acknowledged = acknowledgements(webs);
  console.log(`      ${acknowledged.join("\n      ")}`);
  assert(acknowledged.every((line) => line.includes("by lb1 after")));
  assertEquals(acknowledged.length, 4);
  assertNoFailure(load);
});

Deno.test("a service scales down from 5 to 1 while a node is cut off from etcd, and no GET through it fails", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using proxy = startTcpProxy(Number(new URL(etcd.endpoints[0] ?? "").port));
  await using lb1 = await startNode(etcd.endpoints, "lb1");
  await using lb2 = await startNode([`http://127.0.0.1:${proxy.port}`], "lb2", "3s");
  await using stack = new AsyncDisposableStack();
  const webs = await startFive(etcd, [lb1, lb2]);
  webs.forEach((web) => stack.use(web));
  await using load = startLoad({ lb1, lb2 });
  await load.firstAnswerFrom("web5", { target: "lb2", deadlineMs: 30_000 });
  proxy.cut();
  await leaveButFirst(webs);
  const chapter = load.mark("all have left");
  await load.lastAnswerFrom("web5", { quietMs: 2_000, deadlineMs: 30_000 });
  await load.stop();
  for (const { name, all } of load.chapters) {
    console.log(
      `      ${name}: ${all.requests} requests, ${all.failed} failed, slowest ${
        Math.round(all.slowestMs)
      } ms`,
    );
  }
  assertEquals(chapter.all.failures, []);
  assertNoFailure(load);
  assertEquals(load.chapters.flatMap(({ all }) => all.failures), []);
});

/** The embedded template, with time for a slow machine between a client's answer and the end of its idle connection. */
async function patientTemplate(dir: string): Promise<string> {
  const template = await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url));
  const path = `${dir}/patient.eta`;
  await Deno.writeTextFile(
    path,
    template.replace("timeout http-keep-alive 2s", "timeout http-keep-alive 10s"),
  );
  return path;
}

/** Clients that have each had an answer, on connections that a retired worker holds. */
async function connectOverReload(etcd: EtcdCluster, node: TestNode): Promise<HttpConnection[]> {
  const clients = await Promise.all(Array.from({ length: 4 }, () => HttpConnection.open(new URL(node.url))));
  for (const client of clients) await client.get("/", { keepAlive: true });
  await etcd.put("/services/another/a", "127.0.0.1:9");
  await node.untilServers("another", ["a"]);
  await waitFor("a retired worker", async () => {
    return /# old workers\n\d+/.test(await ask(node.masterSocket, "show proc;quit"));
  });
  assert(clients.every((client) => client.usable));
  return clients;
}

/** The next request of a client: on its connection, or on a new one if it has seen that the server ended that. */
async function nextAnswer(client: HttpConnection, url: URL): Promise<{ body: string; kept: boolean }> {
  if (client.usable) return { body: (await client.get("/", { keepAlive: false })).body, kept: true };
  using fresh = {
    connection: await HttpConnection.open(url),
    [Symbol.dispose]: () => fresh.connection.close(),
  };
  return { body: (await fresh.connection.get("/", { keepAlive: false })).body, kept: false };
}

Deno.test("a client that kept its connection over a reload is answered when the backend of before has left", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using dir = await tempDir();
  const args = ["--template", await patientTemplate(dir.path), "--node-id", "lb1"];
  await using lb1 = await testNode({ endpoints: etcd.endpoints, args });
  lb1.start();
  await using web1 = startWeb(etcd, 1);
  await using web2 = startWeb(etcd, 2);
  await Promise.all([web1.untilKey(), web2.untilKey()]);
  await lb1.untilServers("backend", ["web1", "web2"]);
  const clients = await connectOverReload(etcd, lb1);
  web1.process.kill("SIGTERM");
  await web1.untilKey((value) => value.includes("drain"));
  const [early, ...late] = clients;
  assert(early !== undefined && ["web1", "web2"].includes((await nextAnswer(early, new URL(lb1.url))).body));
  assertEquals(await web1.untilEnd(), 0);
  assertEquals(acknowledgements([web1]).length, 1);
  const answers = await Promise.all(late.map((client) => nextAnswer(client, new URL(lb1.url))));
  const kept = answers.filter(({ kept }) => kept).length;
  console.log(
    `      ${acknowledgements([web1]).join()}; ${kept} of ${answers.length} connections were still kept`,
  );
  assertEquals(answers.map(({ body }) => body), late.map(() => "web2"));
  clients.forEach((client) => client.close());
});
