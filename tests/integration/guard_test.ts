import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import {
  type EtcdCluster,
  Load,
  type Origin,
  startEtcdCluster,
  startOrigin,
  tempDir,
  waitFor,
} from "../support/mod.ts";
import { controllerCommand, type NodeState, type TestNode, testNode } from "../support/node.ts";

const IDS = ["a", "b", "c", "d"];

/** Registers under a lease that is not renewed; etcd may grant more than was asked for. */
async function registerFor(etcd: EtcdCluster, { id, address, seconds }: {
  id: string;
  address: string;
  seconds: number;
}): Promise<void> {
  const granted = await etcd.etcdctl("lease", "grant", String(seconds));
  const lease = granted.split(" ")[1] ?? "";
  await etcd.etcdctl("put", `--lease=${lease}`, `/services/backend/${id}`, address);
}

/** Four origins, registered for ever, and a node that serves them. */
async function serveFour(stack: AsyncDisposableStack, args: readonly string[]) {
  const etcd = stack.use(await startEtcdCluster({ members: 1 }));
  const origins = IDS.map((id) => stack.use(startOrigin(id)));
  for (const origin of origins) await put(etcd, origin);
  const node = stack.use(await testNode({ endpoints: etcd.endpoints, args: ["--guard", "on", ...args] }));
  node.start();
  await node.untilState("four servers up", ({ services }) => upIn(services) === 4);
  return { etcd, node, origins };
}

async function put(etcd: EtcdCluster, { behaviour, address }: Origin): Promise<void> {
  await etcd.put(`/services/backend/${behaviour.name}`, address);
}

function upIn(services: Awaited<ReturnType<TestNode["state"]>>["services"]): number {
  return services.flatMap(({ servers }) => servers).filter(({ up }) => up === true).length;
}

const heldIds = (node: TestNode, count: number) =>
  node.untilState(`${count} held servers`, ({ held }) => held.length === count)
    .then(({ held }) => held.map(({ id }) => id).sort());

Deno.test("the guard serves half of a service on while its leases end one after the other", async () => {
  await using stack = new AsyncDisposableStack();
  const { etcd, node, origins } = await serveFour(stack, ["--guard-time", "60s"]);
  const load = stack.use(
    new Load({
      targets: [{ name: "lb", url: node.url, keepAliveClients: 2, oneShotClients: 2 }],
      pauseMs: 20,
    }),
  );
  load.start();
  for (const [at, { behaviour, address }] of origins.entries()) {
    await registerFor(etcd, { id: behaviour.name, address, seconds: 2 + at });
  }
  await waitFor(
    "an empty registry",
    async () => (await etcd.getAll("/services/")).length === 0,
  );
  const held = await heldIds(node, 2);
  assertEquals(held, ["c", "d"]);
  assertEquals(await node.metric("held_servers"), 2);
  await node.untilServers("backend", held);
  await node.untilServed();
  const config = await node.readConfig();
  assertEquals(IDS.filter((id) => config.includes(`server ${id} `)), held);
  const state = await node.state();
  assert(state.held.every(({ service, goesInMs }) => service === "backend" && goesInMs <= 60_000));
  assertEquals(load.chapter.all.failures, []);
  await node.untilLine(/holding servers/);
});

Deno.test("diff holds what run would hold", async () => {
  await using stack = new AsyncDisposableStack();
  const { etcd, node } = await serveFour(stack, ["--guard-time", "120s"]);
  const { command, args } = controllerCommand();
  const diff = async () => {
    const { stdout } = await new Deno.Command(command, {
      args: [...args, "diff", ...node.places, "--admin-bind", `127.0.0.1:${node.adminPort}`],
    }).output();
    return new TextDecoder().decode(stdout).split("\n").map((line) => line.trim()).slice(1, -1);
  };
  node.controller.freeze();
  await etcd.etcdctl("del", "/services/", "--prefix");
  const expected = [
    "remove server backend/a: no entry asks for it",
    "remove server backend/b: no entry asks for it",
  ];
  const held = ["c", "d"].map((id) => `held backend/${id}: it vanished, and is kept for 30 s at most`);
  assertEquals(await diff(), [...expected, ...held]);
  node.controller.resume();
  await heldIds(node, 2);
  assertEquals(
    await diff(),
    ["held backend/c", "held backend/d"].map((line) => `${line}: it vanished, and is kept for 30 s at most`),
  );
});

Deno.test("the guard lets a held server go when its check fails", async () => {
  await using stack = new AsyncDisposableStack();
  const { etcd, node, origins } = await serveFour(stack, ["--guard-time", "120s"]);
  await etcd.etcdctl("del", "/services/", "--prefix");
  assertEquals(await heldIds(node, 2), ["c", "d"]);
  await origins[2]?.closeAbruptly();
  assertEquals(await heldIds(node, 1), ["d"]);
  await node.untilLine(/no longer held.*backend\/c.*its check has failed/);
  await node.untilServers("backend", ["d"]);
});

Deno.test("the guard lets the last server go when its time is up", async () => {
  await using stack = new AsyncDisposableStack();
  const { etcd, node } = await serveFour(stack, ["--guard-time", "2s"]);
  await etcd.etcdctl("del", "/services/", "--prefix");
  // Two seconds may be over before anybody looks.
  await node.untilLine(/holding servers: .*backend\/d/);
  await node.untilLine(/no longer held.*backend\/d/);
  await node.untilServers("backend", []);
  assertEquals(await heldIds(node, 0), []);
});

Deno.test("the guard holds after a crash what it held before, and begins no new window", async () => {
  await using stack = new AsyncDisposableStack();
  const { etcd, node } = await serveFour(stack, ["--guard-time", "120s"]);
  await etcd.etcdctl("del", "/services/", "--prefix");
  assertEquals(await heldIds(node, 2), ["c", "d"]);
  await node.untilServers("backend", ["c", "d"]);
  node.controller.kill("SIGKILL");
  await node.controller.status;
  node.start();
  assertEquals(await heldIds(node, 2), ["c", "d"]);
  await node.untilServers("backend", ["c", "d"]);
});

Deno.test("the guard holds after a crash what it held before, also when the template fails by then", async () => {
  await using stack = new AsyncDisposableStack();
  const { etcd, node } = await serveFour(stack, ["--guard-time", "60s"]);
  const load = stack.use(
    new Load({
      targets: [{ name: "lb", url: node.url, keepAliveClients: 1, oneShotClients: 1 }],
      pauseMs: 20,
    }),
  );
  load.start();
  await etcd.etcdctl("del", "/services/", "--prefix");
  assertEquals(await heldIds(node, 2), ["c", "d"]);
  const goesIn = (ms: number) => ({ held }: NodeState) => held.every(({ goesInMs }) => goesInMs <= ms);
  await node.untilState("some of the time gone", goesIn(57_000));
  node.controller.kill("SIGKILL");
  await node.controller.status;
  const template = `${node.dir}/template.eta`;
  await Deno.writeTextFile(template, "<%= it.nothing.here %>");
  node.start({ args: ["--guard", "on", "--guard-time", "60s", "--template", template] });
  const state = await node.untilState("two held servers", ({ held }) => held.length === 2);
  assertEquals([state.base?.from, state.base?.refused === null, goesIn(57_000)(state)], [
    "last-good",
    false,
    true,
  ]);
  assertEquals((await node.runningServers("backend")).map(({ name }) => name).sort(), ["c", "d"]);
  assertEquals(load.chapter.all.failures, []);
});

const KILLED = fileURLToPath(new URL("../support/killed_controller.ts", import.meta.url));
/** Its check takes it, and the new worker cannot start. */
const REFUSED = "frontend refused\n    bind unix@/no/such/directory/x.sock\n";
const kills: Record<string, { kill: Record<string, string>; held: string[]; template?: string }> = {
  "between its record and the file": { kill: { KILL_AT: "staged" }, held: ["c", "d"] },
  "when the next file is in place": { kill: { KILL_AT: "committed" }, held: ["c", "d", "e"] },
  "when a reload failed": { kill: { KILL_AT: "reloaded" }, held: ["c", "d", "e"], template: REFUSED },
  "when a reload failed and the last good file is back": {
    kill: { KILL_AT: "committed", KILL_AFTER: "1" },
    held: ["c", "d"],
    template: REFUSED,
  },
};

for (const [when, { kill, held, template }] of Object.entries(kills)) {
  Deno.test(`the guard holds what the file serves after a controller was killed ${when}`, async () => {
    await using stack = new AsyncDisposableStack();
    const { etcd, node } = await serveFour(stack, ["--guard-time", "120s"]);
    node.controller.kill("SIGKILL");
    await node.controller.status;

    const e = stack.use(startOrigin("e"));
    await put(etcd, e);
    const args = ["--guard", "on", "--guard-time", "120s"];
    if (template !== undefined) {
      const embedded = await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url));
      await Deno.writeTextFile(`${node.dir}/template.eta`, `${embedded}\n${template}`);
      args.push("--template", `${node.dir}/template.eta`);
    }
    assertEquals((await node.start({ program: KILLED, args, env: kill }).status).signal, "SIGKILL");

    await etcd.etcdctl("del", "/services/", "--prefix");
    node.start();
    assertEquals(await heldIds(node, held.length), held);
    await node.untilServers("backend", held);
  });
}

for (
  const [what, record] of Object.entries({
    "no record": undefined,
    "a record of an early version": '{"departures":[],"missing":[]}',
    "a record that is cut off": '{"departures":[],"missing":[],"files":[{"digest":"',
  })
) {
  Deno.test(`the guard starts with ${what}, holds nothing that it cannot know, and guards from then on`, async () => {
    await using stack = new AsyncDisposableStack();
    const { etcd, node } = await serveFour(stack, ["--guard-time", "120s"]);
    node.controller.kill("SIGKILL");
    await node.controller.status;
    const path = `${node.dir}/state/guard.json`;
    await Deno.remove(path);
    if (record !== undefined) await Deno.writeTextFile(path, record);
    await etcd.delete("/services/backend/a");
    await etcd.delete("/services/backend/b");
    await etcd.delete("/services/backend/c");

    node.start();
    await node.untilServers("backend", ["d"]);
    assertEquals(await heldIds(node, 0), []);
    const complaints = node.controller.lines.filter((line) =>
      line.includes("guard cannot read or write its record")
    );
    assertEquals(complaints.length, what.includes("cut off") ? 1 : 0);
    for (const id of ["x", "y", "z"]) await put(etcd, stack.use(startOrigin(id)));
    await node.untilServers("backend", ["d", "x", "y", "z"]);
    await node.untilServed();
    await etcd.etcdctl("del", "/services/", "--prefix");
    assertEquals(await heldIds(node, 2), ["y", "z"]);
  });
}

Deno.test("the guard does not meet servers that drain before they leave", async () => {
  await using stack = new AsyncDisposableStack();
  const { etcd, node, origins } = await serveFour(stack, ["--guard-time", "120s"]);
  for (const { behaviour, address } of origins.slice(1)) {
    const key = `/services/backend/${behaviour.name}`;
    await etcd.put(key, JSON.stringify({ address, state: "drain" }));
    await node.untilState(
      "draining",
      ({ services }) =>
        services[0]?.servers.some(({ id, state }) => id === behaviour.name && state === "drain") ?? false,
    );
    await etcd.delete(key);
    await node.untilState(
      "its end",
      ({ services }) => services[0]?.servers.every(({ id }) => id !== behaviour.name) ?? false,
    );
    assertEquals((await node.state()).held, []);
  }
  await node.untilServers("backend", ["a"]);
});

Deno.test("the guard switched off lets a whole service go at once", async () => {
  await using stack = new AsyncDisposableStack();
  const { etcd, node } = await serveFour(stack, ["--guard", "off"]);
  await etcd.etcdctl("del", "/services/", "--prefix");
  await node.untilServers("backend", []);
});

/** The embedded template without other services than `backend`, and with more text behind it. */
async function writeTemplate(dir: string, more = ""): Promise<string> {
  const embedded = await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url));
  const path = `${dir}/haproxy.cfg.eta`;
  await Deno.writeTextFile(path, embedded + more);
  return path;
}

/** Kills the controller, deletes what is registered below a prefix if asked to, and starts the controller again. */
async function restart(node: TestNode, meanwhile: () => Promise<unknown> = () => Promise.resolve()) {
  node.controller.kill("SIGKILL");
  await node.controller.status;
  await meanwhile();
  node.start();
  return await node.untilState(
    "a pass of its own",
    ({ revision, readiness }) => revision !== null && readiness.stale !== true,
  );
}

Deno.test("a restart holds no server that was removed in order and that the template does not show", async () => {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir()).path;
  const etcd = stack.use(await startEtcdCluster({ members: 1 }));
  const origin = stack.use(startOrigin("a"));
  await put(etcd, origin);
  const template = await writeTemplate(dir);
  const text = await Deno.readTextFile(template);
  const hidden = text.replace("it.services.filter((service) => service !== main)", "[]");
  assert(hidden !== text);
  await Deno.writeTextFile(template, hidden);
  for (const id of ["x", "y"]) await etcd.put(`/services/other/${id}`, "127.0.0.1:1");
  const args = ["--guard", "on", "--guard-time", "120s", "--template", template];
  const node = stack.use(await testNode({ endpoints: etcd.endpoints, args }));
  node.start();
  await node.untilState("a server up", ({ services }) => upIn(services) === 1);
  const recorded = async (text: string) =>
    (await Deno.readTextFile(`${node.dir}/state/guard.json`)).split(text).length - 1;
  for (const id of ["x", "y"]) {
    await etcd.put(`/services/other/${id}`, JSON.stringify({ address: "127.0.0.1:1", state: "drain" }));
  }
  await waitFor("both on record as drained", async () => await recorded("drain") >= 2);
  await etcd.etcdctl("del", "/services/other/", "--prefix");
  await waitFor("none on record", async () => await recorded('127.0.0.1:1"') + await recorded("drain") === 0);
  assertEquals((await restart(node)).held, []);
});

Deno.test("a restart holds no server that waited for a base and was in no file", async () => {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir()).path;
  const etcd = stack.use(await startEtcdCluster({ members: 1 }));
  const [one, two] = [stack.use(startOrigin("a")), stack.use(startOrigin("b"))];
  await put(etcd, one);
  const refused =
    '<% if (it.services.some(({ name }) => name === "v")) { %>\nbackend broken\n  nonsense\n<% } %>';
  const template = await writeTemplate(dir, `\n${refused}\n`);
  const args = ["--guard", "on", "--guard-time", "120s", "--template", template];
  const node = stack.use(await testNode({ endpoints: etcd.endpoints, args }));
  node.start();
  await node.untilState("a server up", ({ services }) => upIn(services) === 1);
  for (const id of ["x", "y"]) await etcd.put(`/services/v/${id}`, "127.0.0.1:1");
  await node.untilState("a refused base", ({ base }) => base?.refused !== undefined && base.refused !== null);
  await put(etcd, two);
  await node.untilState("two servers up", ({ services }) => upIn(services) === 2);
  const { held } = await restart(node, () => etcd.etcdctl("del", "/services/v/", "--prefix"));
  assertEquals(held, []);
});

Deno.test("a restart without a configuration file holds what HAProxy runs from the last good one", async () => {
  await using stack = new AsyncDisposableStack();
  const { etcd, node } = await serveFour(stack, ["--guard-time", "120s"]);
  await restart(node, async () => {
    await Deno.remove(`${node.dir}/haproxy.cfg`);
    await etcd.etcdctl("del", "/services/backend/", "--prefix");
  });
  assertEquals((await heldIds(node, 2)).length, 2);
});
