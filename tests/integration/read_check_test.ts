import { assertEquals } from "@std/assert";
import { createEtcdClient } from "../../lib/etcd/client.ts";
import { checkReads } from "../../lib/etcd/read_check.ts";
import { type EtcdCluster, startEtcdCluster, waitFor } from "../support/mod.ts";
import { ROOT } from "../support/secured_etcd.ts";

const PREFIXES = ["/a/", "/b/"];

/** Checks often, and keeps each change: the reason, or "answered". */
function startChecks(endpoint: string, auth?: { username: string; password: string }) {
  const client = createEtcdClient({
    endpoints: [endpoint],
    credentials: () => Promise.resolve(auth === undefined ? {} : { auth }),
  });
  const told: string[] = [];
  const stop = new AbortController();
  const running = checkReads({
    client,
    prefixes: PREFIXES,
    everyMs: 50,
    signal: stop.signal,
    onChange: (reason) => told.push(reason ?? "answered"),
  });
  const close = async () => {
    stop.abort();
    await running;
    client.close();
  };
  return { told, [Symbol.asyncDispose]: close };
}

/** How often etcd has answered a method. */
async function callsOf(etcd: EtcdCluster, method: string): Promise<number> {
  const response = await fetch(`${etcd.member(0).endpoint}/metrics`);
  const lines = (await response.text()).split("\n");
  const name = `grpc_server_handled_total{grpc_code="OK",grpc_method="${method}"`;
  return Number(lines.find((line) => line.startsWith(name))?.split(" ").at(-1) ?? 0);
}

Deno.test("checkReads() asks for all prefixes in one call", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const before = await callsOf(etcd, "Range");
  await using checks = startChecks(etcd.member(0).endpoint);
  await waitFor("some checks", async () => await callsOf(etcd, "Txn") > 2);
  assertEquals(await callsOf(etcd, "Range"), before);
  assertEquals(checks.told, []);
});

Deno.test("checkReads() takes the answer of a member without quorum", async () => {
  await using etcd = await startEtcdCluster({ members: 3 });
  await etcd.member(1).kill();
  await etcd.member(2).kill();
  const before = await callsOf(etcd, "Txn");
  await using checks = startChecks(etcd.member(0).endpoint);
  await waitFor("some checks", async () => await callsOf(etcd, "Txn") > before + 2);
  assertEquals(checks.told, []);
});

Deno.test("checkReads() names the prefix that may not be read, and tells when it may be", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.etcdctl("user", "add", "root:admin");
  await etcd.etcdctl("user", "grant-role", "root", "root");
  await etcd.etcdctl("user", "add", "reader:secret");
  await etcd.etcdctl("role", "add", "reader");
  await etcd.etcdctl("user", "grant-role", "reader", "reader");
  const grant = (prefix: string) => ["role", "grant-permission", "--prefix=true", "reader", "read", prefix];
  for (const prefix of PREFIXES) await etcd.etcdctl(...grant(prefix));
  await etcd.etcdctl("auth", "enable");
  await using checks = startChecks(etcd.member(0).endpoint, { username: "reader", password: "secret" });
  await etcd.etcdctl(...ROOT, "role", "revoke-permission", "--prefix=true", "reader", "/b/");
  await waitFor("a refused read", () => checks.told.length > 0);
  await etcd.etcdctl(...ROOT, ...grant("/b/"));
  await waitFor("an answered read", () => checks.told.at(-1) === "answered");
  assertEquals(checks.told, ["etcd refuses user reader: no permission to read /b/", "answered"]);
});
