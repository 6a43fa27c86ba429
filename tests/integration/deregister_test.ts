import { assert, assertEquals } from "@std/assert";
import { type EtcdCluster, startEtcdCluster, startOrigin } from "../support/mod.ts";
import { type Registered, startRegistered } from "../support/registered.ts";

// Nodes are played by their keys here: what counts is what a process that deregisters makes of them.

/** Leases are long, so that none ends on a slow machine. */
const PATIENT = ["--drain-timeout", "10m", "--lease-ttl", "600"];
const COMMAND = ["/bin/sh", "-c", "trap 'echo stopping; exit 0' TERM; while :; do sleep 0.05; done"];

/** A status as a node writes it. */
function status(node: string, draining: readonly string[] = []): string {
  return JSON.stringify({
    node,
    instance: "i",
    revision: 1,
    lagMs: 0,
    base: "b",
    servers: { total: 1, up: 1 },
    draining,
    rejections: 0,
    held: 0,
    plan: "none",
    tookMs: 1,
    stale: false,
    at: "2026-01-01T00:00:00Z",
    version: "0.0.0",
    admin: "http://127.0.0.1:1",
  });
}

interface PlayedNode {
  /** It serves this revision, and still holds requests of these servers. */
  serves(revision: number | bigint, draining?: readonly string[]): Promise<void>;
  /** Its lease ends. */
  die(): Promise<void>;
}

async function playNode(etcd: EtcdCluster, node: string): Promise<PlayedNode> {
  const lease = (await etcd.etcdctl("lease", "grant", "600")).split(" ")[1] ?? "";
  const put = (what: string, value: string) =>
    etcd.etcdctl("put", `--lease=${lease}`, `/haproxy/nodes/${node}/${what}`, value);
  return {
    serves: async (revision, draining = []) => {
      await put("status", status(node, draining));
      await put("applied", String(revision));
    },
    die: async () => {
      await etcd.etcdctl("lease", "revoke", lease);
    },
  };
}

async function revisionOf(etcd: EtcdCluster, key: string): Promise<bigint> {
  return (await etcd.get(key))?.modRevision ?? 0n;
}

/** Sends SIGTERM, waits until the entry says drain, and returns the revision of that. */
async function startDeregistering(etcd: EtcdCluster, registered: Registered): Promise<bigint> {
  registered.process.kill("SIGTERM");
  await registered.untilKey((value) => JSON.parse(value).state === "drain");
  return await revisionOf(etcd, registered.key);
}

Deno.test("register stops its command when every node has acknowledged, and no sooner", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const [lb1, lb2] = await Promise.all([playNode(etcd, "lb1"), playNode(etcd, "lb2")]);
  await lb1.serves(1);
  await lb2.serves(1);
  await using registered = startRegistered(etcd, { port: 8080, args: PATIENT, command: COMMAND });
  await registered.untilKey();
  const revision = await startDeregistering(etcd, registered);
  await lb1.serves(revision);
  await lb2.serves(revision - 1n);
  assert(!registered.said("stopping"));
  await lb2.serves(revision, [registered.key.replace("/services/", "")]);
  assert(!registered.said("stopping"));
  assertEquals(JSON.parse(await registered.read()).state, "drain");
  await lb2.serves(revision + 5n, ["backend/other"]);
  assertEquals(await registered.untilEnd(), 0);
  assert(registered.said("drained: acknowledged by lb1, lb2 after"), registered.process.lines.join("\n"));
  assert(registered.said("stopping"));
  assertEquals(await registered.read(), "");
});

Deno.test("register tells the nodes once more where its key went at a revision that it does not know", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const lb1 = await playNode(etcd, "lb1");
  const origin = startOrigin("one");
  const check = ["--check", "tcp", "--check-interval", "100ms"];
  await using registered = startRegistered(etcd, { port: origin.port, args: [...PATIENT, ...check] });
  await registered.untilKey();
  await lb1.serves(await revisionOf(etcd, registered.key));
  await etcd.delete(registered.key);
  await origin[Symbol.asyncDispose]();
  await registered.untilSaid("registration withdrawn");
  await lb1.serves(await startDeregistering(etcd, registered));
  assertEquals(await registered.untilEnd(), 0);
  assert(registered.said("drained: acknowledged by lb1 after"), registered.process.lines.join("\n"));
  assertEquals(await registered.read(), "");
});

Deno.test("register does not wait for a node whose lease has ended", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const [lb1, lb2] = await Promise.all([playNode(etcd, "lb1"), playNode(etcd, "lb2")]);
  await lb1.serves(1);
  await lb2.serves(1);
  await using registered = startRegistered(etcd, { port: 8080, args: PATIENT });
  await registered.untilKey();
  await lb1.serves(await startDeregistering(etcd, registered));
  assertEquals(registered.process.exited, undefined);
  await lb2.die();
  assertEquals(await registered.untilEnd(), 0);
  assert(registered.said("drained: acknowledged by lb1 after"), registered.process.lines.join("\n"));
});

Deno.test("register waits no longer than --drain-timeout, and names the nodes that are behind", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const lb1 = await playNode(etcd, "lb1");
  await lb1.serves(1);
  const args = ["--drain-timeout", "1s"];
  await using registered = startRegistered(etcd, { port: 8080, args, command: COMMAND });
  await registered.untilKey();
  await startDeregistering(etcd, registered);
  assertEquals(await registered.untilEnd(), 0);
  assert(registered.said("leaving although lb1 did not acknowledge in time"));
  assertEquals(await registered.read(), "");
});

Deno.test("register names the nodes that are behind whose keys have no lease", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const lb1 = await playNode(etcd, "lb1");
  await lb1.serves(1);
  await etcd.put("/haproxy/nodes/lb2/applied", "1");
  await using registered = startRegistered(etcd, { port: 8080, args: ["--drain-timeout", "1s"] });
  await registered.untilKey();
  await startDeregistering(etcd, registered);
  assertEquals(await registered.untilEnd(), 0);
  const text = "leaving although lb1, lb2 did not acknowledge in time " +
    "(keys without a lease count until they are deleted: lb2)";
  assert(registered.said(text), registered.process.lines.join("\n"));
});

Deno.test("register that gets a second signal stops its command without waiting", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const lb1 = await playNode(etcd, "lb1");
  await lb1.serves(1);
  await using registered = startRegistered(etcd, { port: 8080, args: PATIENT, command: COMMAND });
  await registered.untilKey();
  await startDeregistering(etcd, registered);
  registered.process.kill("SIGINT");
  assertEquals(await registered.untilEnd(), 0);
  assert(registered.said("leaving without further waiting"));
  assert(registered.said("stopping"));
  assertEquals(await registered.read(), "");
});

Deno.test("register whose command ends while it deregisters waits no longer", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const lb1 = await playNode(etcd, "lb1");
  await lb1.serves(1);
  const command = ["/bin/sh", "-c", "trap 'exit 9' USR1; while :; do sleep 0.05; done"];
  await using registered = startRegistered(etcd, { port: 8080, args: PATIENT, command });
  await registered.untilKey();
  await startDeregistering(etcd, registered);
  registered.process.kill("SIGUSR1");
  assertEquals(await registered.untilEnd(), 9);
  assertEquals(await registered.read(), "");
});

Deno.test("register keeps deregistering when etcd restarts in the middle of it", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const lb1 = await playNode(etcd, "lb1");
  await lb1.serves(1);
  await using registered = startRegistered(etcd, { port: 8080, args: PATIENT, command: COMMAND });
  await registered.untilKey();
  const revision = await startDeregistering(etcd, registered);
  await etcd.member(0).kill();
  assertEquals(registered.process.exited, undefined);
  await etcd.member(0).start();
  await lb1.serves(revision);
  assertEquals(await registered.untilEnd(), 0);
  assert(registered.said("drained: acknowledged by lb1 after"), registered.process.lines.join("\n"));
});

Deno.test("register that is asked to stop while etcd is away tells the nodes when it is back", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const lb1 = await playNode(etcd, "lb1");
  await lb1.serves(1);
  await using registered = startRegistered(etcd, { port: 8080, args: PATIENT, command: COMMAND });
  await registered.untilKey();
  await etcd.member(0).stop();
  registered.process.kill("SIGTERM");
  await registered.untilSaid("leaving");
  await registered.untilSaid("etcd does not answer");
  await etcd.member(0).start();
  await registered.untilKey((value) => JSON.parse(value).state === "drain");
  await lb1.serves(await revisionOf(etcd, registered.key));
  assertEquals(await registered.untilEnd(), 0);
});

Deno.test("register that is asked to stop while etcd is away stops when its time is up", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const args = ["--drain-timeout", "1s"];
  await using registered = startRegistered(etcd, { port: 8080, args, command: COMMAND });
  await registered.untilKey();
  await etcd.member(0).stop();
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
  assert(registered.said("leaving without an acknowledgement: cannot write to etcd within 1000 ms"));
  assert(registered.said("it expires with its lease"));
});

Deno.test("register that may not read the nodes' keys waits for all of --drain-timeout", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.etcdctl("role", "add", "backend");
  await etcd.etcdctl("role", "grant-permission", "backend", "--prefix=true", "readwrite", "/services/");
  await etcd.etcdctl("user", "add", "backend:secret");
  await etcd.etcdctl("user", "grant-role", "backend", "backend");
  await etcd.etcdctl("user", "add", "root:root");
  await etcd.etcdctl("user", "grant-role", "root", "root");
  await etcd.etcdctl("auth", "enable");
  const args = ["--user", "backend", "--drain-timeout", "1500ms"];
  const env = { ETCD_PASSWORD: "secret" };
  await using registered = startRegistered(etcd, { port: 8080, args, env, command: COMMAND });
  await registered.untilSaid("registered");
  const startedAt = performance.now();
  registered.process.kill("SIGTERM");
  assertEquals(await registered.untilEnd(), 0);
  assert(performance.now() - startedAt >= 1_500);
  const said = "leaving without an acknowledgement: Cannot read the nodes' keys: ";
  assert(registered.said(said), registered.process.lines.join("\n"));
});
