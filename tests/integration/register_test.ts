import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { pickPort, startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { makeNamespace } from "../support/namespace.ts";
import { NO_CHILD_LEFT, shell, startRegistered } from "../support/registered.ts";
import { missingRequirement } from "../support/requirements.ts";

Deno.test("register puts what it is told, and at SIGTERM removes it", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const args = ["--weight", "50", "--maxconn", "7", "--meta", "zone=a", "--meta", "note=x y"];
  await using registered = startRegistered(etcd, { port: 8080, args });
  assertEquals(JSON.parse(await registered.untilKey()), {
    address: "127.0.0.1:8080",
    state: "ready",
    weight: 50,
    maxconn: 7,
    meta: { zone: "a", note: "x y" },
  });
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
  assertEquals(await registered.read(), "");
  assert(
    registered.said("leaving at once: no load-balancer node is alive"),
    registered.process.lines.join("\n"),
  );
});

Deno.test("register takes its settings from the environment", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const env = { SERVICE_ADDRESS: "10.0.0.5", SERVICE_WEIGHT: "3" };
  await using registered = startRegistered(etcd, { port: 8080, env });
  assertEquals(JSON.parse(await registered.untilKey()), {
    address: "10.0.0.5:8080",
    state: "ready",
    weight: 3,
  });
});

Deno.test("register warns of an address that nodes reject by default, and registers it", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, args: ["--address", "fe80::1"] });
  await registered.untilSaid("nodes reject this address by default");
  assert(registered.said("fe80::1 is link-local, which only --server-networks can allow"));
  assertEquals(JSON.parse(await registered.untilKey()).address, "[fe80::1]:8080");
});

Deno.test("register puts the key while the check passes, and only then", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using origin = startOrigin("one", { status: 500 });
  const check = [
    "--check",
    `${origin.url}healthz`,
    "--check-interval",
    "100ms",
    "--rise",
    "2",
    "--fall",
    "2",
  ];
  await using registered = startRegistered(etcd, { port: origin.port, args: check });
  await waitFor("some checks", () => origin.requests > 5, { deadlineMs: 30_000 });
  assertEquals(await registered.read(), "");
  for (let round = 0; round < 2; round++) {
    origin.behaviour.status = 200;
    await registered.untilKey();
    origin.behaviour.status = 500;
    await registered.untilNoKey();
  }
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
  assert(!registered.said("registration removed"));
});

Deno.test("register waits for the port of its command with --check tcp", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const port = pickPort();
  const args = ["--check", "tcp", "--check-interval", "100ms"];
  await using registered = startRegistered(etcd, { port, args, command: shell() });
  await registered.untilSaid("started");
  assertEquals(await registered.read(), "");
  await using _origin = startOrigin("one", { port });
  await registered.untilKey();
  registered.process.kill("SIGTERM");
  await registered.untilEnd();
});

Deno.test("register leaves a key that another lease owns, names it, ends its command and exits with 1", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const lease = (await etcd.etcdctl("lease", "grant", "60")).split(" ")[1] ?? "";
  await etcd.etcdctl("put", `--lease=${lease}`, "/services/backend/a", "other");
  const before = await etcd.etcdctl("get", "/services/backend/a", "-w", "json");
  const command = shell("trap 'echo asked; exit 0' TERM", "echo pid:$$:");
  await using registered = startRegistered(etcd, { port: 8080, id: "a", command });
  assertEquals(await registered.untilEnd(), 1);
  const last = registered.process.lines.at(-1) ?? "";
  assertEquals(last, `etcd-haproxy: Cannot register /services/backend/a: lease ${lease} owns it`);
  const pid = /pid:(\d+):/.exec(registered.process.lines.join("\n"))?.[1];
  if (pid !== undefined) await NO_CHILD_LEFT(Number(pid));
  const kvs = (text: string) => JSON.parse(text).kvs;
  assertEquals(kvs(await etcd.etcdctl("get", "/services/backend/a", "-w", "json")), kvs(before));
});

Deno.test("register that was frozen for longer than its lease comes back", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080 });
  await registered.untilKey();
  registered.process.freeze();
  await registered.untilNoKey();
  registered.process.resume();
  await registered.untilKey();
  await registered.untilSaid("lease ended, registering again");
});

Deno.test("register that comes back to a key of another lease gives it up", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, command: shell() });
  await registered.untilSaid("started");
  await registered.untilKey();
  registered.process.freeze();
  await registered.untilNoKey();
  await using other = startRegistered(etcd, { port: 8080 });
  const value = await other.untilKey();
  registered.process.resume();
  assertEquals(await registered.untilEnd(), 1);
  assertMatch(registered.process.lines.at(-1) ?? "", /Cannot register \S+: lease [0-9a-f]+ owns it/);
  assertEquals(await other.read(), value);
});

Deno.test("register puts its key back when it was deleted", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080 });
  await registered.untilKey();
  await etcd.delete(registered.key);
  await registered.untilKey();
  await registered.untilSaid("key was deleted, putting it back");
});

Deno.test("register never touches an override, from its start to its end", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, command: shell("trap 'exit 0' TERM") });
  const override = registered.key.replace("/services/", "/haproxy/settings/servers/");
  const stored = () =>
    etcd.etcdctl("get", override, "-w", "fields").then((text) => /"Key"[^]*$/.exec(text)?.[0]);
  await etcd.put(override, '{"state":"drain"}');
  const before = await stored();
  assertStringIncludes(before ?? "", "drain");
  await registered.untilKey();
  await etcd.delete(registered.key);
  await registered.untilSaid("putting it back");
  await registered.untilKey();
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
  assertEquals(await registered.read(), "");
  assertEquals(await stored(), before);
});

const NO_NAMESPACE = await missingRequirement(["netns"]);

Deno.test({
  name: "register finds, of several interfaces, the address of the one that reaches etcd" +
    (NO_NAMESPACE === undefined ? "" : ` (skipped: ${NO_NAMESPACE})`),
  ignore: NO_NAMESPACE !== undefined,
  fn: async () => {
    await using namespace = await makeNamespace();
    const places = [{ host: namespace.inside, namespace: namespace.name }];
    await using etcd = await startEtcdCluster({ members: 1, places });
    await using registered = startRegistered(etcd, { port: 8080 });
    assertEquals(JSON.parse(await registered.untilKey()).address, `${namespace.outside}:8080`);
  },
});

Deno.test("register runs its command while etcd is away, says so, and registers when it is there", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.member(0).stop();
  await using registered = startRegistered(etcd, { port: 8080, command: shell("trap 'exit 0' TERM") });
  await registered.untilSaid("started");
  await registered.untilSaid("waiting for etcd, serving meanwhile");
  await etcd.member(0).start();
  await registered.untilKey();
  await etcd.member(0).stop();
  await registered.untilSaid("etcd does not answer, retrying");
  assertEquals(registered.process.exited, undefined);
  await etcd.member(0).start();
  await registered.untilSaid("etcd answers again");
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
});

Deno.test("register says that etcd has no space for it, and registers when there is some", async () => {
  await using etcd = await startEtcdCluster({ members: 1, args: ["--quota-backend-bytes", "4194304"] });
  await waitFor("etcd to refuse a write", async () => {
    const put = etcd.put("/elsewhere", "x".repeat(100_000));
    return await put.then(() => false, (error) => String(error).includes("database space exceeded"));
  }, { deadlineMs: 60_000, everyMs: 0 });
  await using registered = startRegistered(etcd, { port: 8080 });
  const [url] = etcd.endpoints;
  await registered.untilSaid("etcd refuses, retrying");
  await registered.untilSaid(`etcd at ${url} accepts no writes: database space exceeded (alarm NOSPACE)`);
  await etcd.etcdctl("compact", String(await etcd.revision()));
  await etcd.member(0).etcdctl("defrag");
  await etcd.etcdctl("alarm", "disarm");
  await registered.untilSaid("etcd answers again");
  await registered.untilKey();
});

Deno.test("register that never reached etcd leaves at once", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.member(0).stop();
  const command = shell("trap 'exit 0' TERM");
  await using registered = startRegistered(etcd, { port: 8080, args: ["--drain-timeout", "10m"], command });
  await registered.untilSaid("started");
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
  assert(registered.said("leaving at once: not registered"));
  assert(!registered.said("registration removed"));
});

Deno.test("register says that its command is not there, and registers nothing", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, command: ["/no/such/program"] });
  assertEquals(await registered.untilEnd(), 1);
  assertEquals(registered.process.lines, ["etcd-haproxy: Cannot start /no/such/program: no such program"]);
  assertEquals(await registered.read(), "");
});

Deno.test("register with an entry that no node would take is a usage error", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using registered = startRegistered(etcd, { port: 8080, id: "a/b" });
  assertEquals(await registered.untilEnd(), 2);
  assertStringIncludes(registered.process.lines.join(), 'Cannot register "backend/a/b"');
});
