import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { canMakeCertificates, type Certificates, makeCertificates } from "../support/certificates.ts";
import {
  type EtcdCluster,
  type LocalProcess,
  pickPort,
  requireProgram,
  startEtcdCluster,
  startProcess,
  tempDir,
  waitFor,
} from "../support/mod.ts";
import { giveRoles, PASSWORD } from "../support/roles.ts";
import { startTlsEtcd } from "../support/secured_etcd.ts";

const MAIN = new URL("../../backend/main.ts", import.meta.url).pathname;
const PERMISSIONS = ["--no-prompt", "--allow-net", "--allow-read", "--allow-env", "--allow-sys"];
const LONG = { deadlineMs: 30_000 };

// The first port that a process picks takes a share of the ports for as long as it lives: no leak of the first test.
pickPort();

interface Backend extends AsyncDisposable {
  readonly process: LocalProcess;
  readonly url: string;
  readonly address: string;
  readonly key: string;
}

/** Starts the example service as its task does, on a free port. Disposing it ends it without warning. */
function startBackend(endpoints: readonly string[], env: Record<string, string> = {}): Backend {
  const port = env.SERVICE_PORT ?? String(pickPort());
  const process = startProcess({
    name: "backend",
    command: Deno.execPath(),
    args: ["run", "--quiet", ...PERMISSIONS, MAIN],
    env: {
      ...Deno.env.toObject(),
      ETCD_ENDPOINTS: endpoints.join(),
      SERVICE_PORT: port,
      BACKEND_NAME: "web1",
      LEASE_TTL: "2",
      ...env,
    },
  });
  const address = `127.0.0.1:${port}`;
  const key = `/services/backend/${Deno.hostname()}-${port}`;
  return {
    process,
    url: `http://${address}/`,
    address,
    key,
    async [Symbol.asyncDispose]() {
      process.kill("SIGKILL");
      await process.status;
    },
  };
}

async function get(url: string): Promise<[number, string | null, string]> {
  const response = await fetch(url);
  return [response.status, response.headers.get("x-backend"), await response.text()];
}

function untilServing({ url }: Backend): Promise<unknown> {
  return waitFor("the backend to answer", () => get(url), LONG);
}

async function read(etcd: EtcdCluster, key: string): Promise<string> {
  return (await etcd.get(key))?.value ?? "";
}

function untilRegistered(etcd: EtcdCluster, { key }: Backend): Promise<string> {
  return waitFor("the backend to be registered", () => read(etcd, key), LONG);
}

function untilGone(etcd: EtcdCluster, { key }: Backend): Promise<boolean> {
  return waitFor("the backend's key to be gone", async () => await read(etcd, key) === "", LONG);
}

async function untilEnd({ process }: Backend): Promise<number> {
  const status = await waitFor("the backend to end", () => process.exited, LONG);
  assertEquals(status.signal, null);
  return status.code;
}

/** The lease of a key, in hexadecimal as etcdctl takes it; zeros for none. */
async function leaseOf(etcd: EtcdCluster, key: string): Promise<string> {
  const fields = await etcd.etcdctl("get", key, "-w", "fields");
  return BigInt(/"Lease" : (\d+)/.exec(fields)?.[1] ?? 0).toString(16).padStart(16, "0");
}

function said({ process }: Backend, text: string): Promise<boolean> {
  return waitFor(
    `the backend to say "${text}"`,
    () => process.lines.some((line) => line.includes(text)),
    LONG,
  );
}

/** The service has written one line: why it cannot run. */
function assertFailure({ process }: Backend, reason: string): void {
  assertEquals(process.lines.length, 1, process.lines.join("\n"));
  assertMatch(process.lines[0] ?? "", /ERROR +cannot run reason=/);
  assertStringIncludes(process.lines[0] ?? "", reason);
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true });
}

test("backend serves its name and registers its own address under a lease", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using backend = startBackend(etcd.endpoints);
  const value = JSON.parse(await untilRegistered(etcd, backend));
  assertEquals(value, { address: backend.address, state: "ready" });
  assertMatch(await leaseOf(etcd, backend.key), /[1-9a-f]/);
  assertEquals(await get(backend.url), [200, "web1", "web1\n"]);
  assertEquals(await get(`${backend.url}healthz`), [200, "web1", "ok\n"]);
});

test("backend registers the name, address, service and prefix that it is told", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const told = { SERVICE_NAME: "api", SERVICE_ADDRESS: "2001:db8::5", SERVICES_PREFIX: "/demo/" };
  await using backend = startBackend(etcd.endpoints, told);
  const key = backend.key.replace("/services/backend/", "/demo/api/");
  const value = await waitFor("the backend to be registered", () => read(etcd, key), LONG);
  assertEquals(JSON.parse(value).address, backend.address.replace("127.0.0.1", "[2001:db8::5]"));
});

/** A node that has acknowledged nothing yet; the revision that it serves can be put there. */
const NODE = "/haproxy/nodes/lb1/applied";
const NODE_STATUS = "/haproxy/nodes/lb1/status";
const STATUS = {
  ...{ node: "lb1", instance: "i", revision: 1, lagMs: 0, base: "b", servers: { total: 1, up: 1 } },
  ...{ draining: [], rejections: 0, plan: "none", tookMs: 1, stale: false, at: "2026-01-01T00:00:00Z" },
  ...{ version: "0.0.0", admin: "http://127.0.0.1:1" },
};

async function playNode(etcd: EtcdCluster): Promise<void> {
  await etcd.put(NODE_STATUS, JSON.stringify(STATUS));
  await etcd.put(NODE, "1");
}

function untilDraining(etcd: EtcdCluster, { key }: Backend): Promise<string> {
  return waitFor("the entry to say drain", async () => {
    const value = await read(etcd, key);
    return value.includes("drain") && value;
  });
}

test("backend that gets SIGTERM drains, keeps answering until nodes acknowledge, ends with 0, and its key is gone", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await playNode(etcd);
  await using backend = startBackend(etcd.endpoints, { DRAIN_TIMEOUT_MS: "10m" });
  await untilRegistered(etcd, backend);
  backend.process.kill("SIGTERM");
  const value = await untilDraining(etcd, backend);
  assertEquals(JSON.parse(value), { address: backend.address, state: "drain" });
  assertEquals(await get(backend.url), [200, "web1", "web1\n"]);
  const fields = await etcd.etcdctl("get", backend.key, "-w", "fields");
  await etcd.put(NODE, /"ModRevision" : (\d+)/.exec(fields)?.[1] ?? "");
  assertEquals(await untilEnd(backend), 0);
  await said(backend, "drained: acknowledged by lb1 after");
  assertEquals(await read(etcd, backend.key), "");
});

test("backend that gets SIGTERM leaves at once when no node is alive", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using backend = startBackend(etcd.endpoints, { DRAIN_TIMEOUT_MS: "10m" });
  await untilRegistered(etcd, backend);
  backend.process.kill("SIGTERM");
  assertEquals(await untilEnd(backend), 0);
  await said(backend, "no load-balancer node is alive");
  assertEquals(await read(etcd, backend.key), "");
});

test("backend finishes a request that is in flight when it leaves, and its key goes after that", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using backend = startBackend(etcd.endpoints);
  await untilRegistered(etcd, backend);
  const upload = new TransformStream<Uint8Array, Uint8Array>();
  const response = fetch(backend.url, { method: "POST", body: upload.readable });
  const writer = upload.writable.getWriter();
  await writer.write(new TextEncoder().encode("first part"));
  backend.process.kill("SIGTERM");
  await said(backend, "leaving at once");
  assertEquals(JSON.parse(await read(etcd, backend.key)).state, "drain");
  await writer.close();
  assertEquals(await (await response).text(), "web1\n");
  assertEquals(await untilEnd(backend), 0);
  assertEquals(await read(etcd, backend.key), "");
});

test("backend that gets a second signal does not wait any longer", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await playNode(etcd);
  await using backend = startBackend(etcd.endpoints, { DRAIN_TIMEOUT_MS: "10m" });
  await untilRegistered(etcd, backend);
  backend.process.kill("SIGTERM");
  await untilDraining(etcd, backend);
  backend.process.kill("SIGINT");
  assertEquals(await untilEnd(backend), 0);
  await said(backend, "leaving without further waiting");
  assertEquals(await read(etcd, backend.key), "");
});

test("backend whose lease is revoked registers again", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using backend = startBackend(etcd.endpoints);
  await untilRegistered(etcd, backend);
  const lease = await leaseOf(etcd, backend.key);
  await etcd.etcdctl("lease", "revoke", lease);
  const value = await untilRegistered(etcd, backend);
  assertEquals(JSON.parse(value), { address: backend.address, state: "ready" });
});

test("backend that is frozen for longer than its lease registers again", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using backend = startBackend(etcd.endpoints);
  await untilRegistered(etcd, backend);
  backend.process.freeze();
  await untilGone(etcd, backend);
  backend.process.resume();
  await untilRegistered(etcd, backend);
});

test("backend keeps serving while etcd is away and is registered when it is back", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using backend = startBackend(etcd.endpoints);
  await untilRegistered(etcd, backend);
  await etcd.member(0).stop();
  await said(backend, "etcd does not answer");
  assertEquals(await get(backend.url), [200, "web1", "web1\n"]);
  await etcd.member(0).start();
  await said(backend, "etcd answers again");
  // Only a backend that follows the etcd of now puts back what is taken from it.
  await untilRegistered(etcd, backend);
  await etcd.etcdctl("lease", "revoke", await leaseOf(etcd, backend.key));
  await untilRegistered(etcd, backend);
});

test("backend that starts before etcd serves at once and registers when etcd is there", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.member(0).stop();
  await using backend = startBackend(etcd.endpoints);
  await untilServing(backend);
  await said(backend, "waiting for etcd");
  await etcd.member(0).start();
  await untilRegistered(etcd, backend);
});

test("backend that gets SIGTERM while etcd is away ends with 0", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using backend = startBackend(etcd.endpoints, { DRAIN_TIMEOUT_MS: "1s" });
  await untilRegistered(etcd, backend);
  await etcd.member(0).stop();
  backend.process.kill("SIGTERM");
  assertEquals(await untilEnd(backend), 0);
  assert(backend.process.lines.some((line) => line.includes("it expires with its lease")));
});

test("backend that gets SIGTERM before it ever reached etcd ends with 0", async () => {
  await using backend = startBackend([`http://127.0.0.1:${pickPort()}`]);
  await said(backend, "waiting for etcd");
  backend.process.kill("SIGTERM");
  assertEquals(await untilEnd(backend), 0);
});

test("backend whose key another lease owns ends with 1, names the owner and leaves the key", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const port = String(pickPort());
  const key = `/services/backend/${Deno.hostname()}-${port}`;
  const lease = (await etcd.etcdctl("lease", "grant", "60")).split(" ")[1] ?? "";
  await etcd.etcdctl("put", `--lease=${lease}`, key, "other");
  await using backend = startBackend(etcd.endpoints, { SERVICE_PORT: port });
  assertEquals(await untilEnd(backend), 1);
  assertStringIncludes(backend.process.lines.at(-1) ?? "", `Cannot register ${key}: lease ${lease} owns it`);
  assertEquals(await read(etcd, key), "other");
});

test("backend with a wrong environment ends with 2 and says why on one line", async () => {
  await using backend = startBackend(["http://127.0.0.1:2379"], { LEASE_TTL: "soon" });
  assertEquals(await untilEnd(backend), 2);
  assertFailure(backend, "LEASE_TTL is not an integer from 1 to 86400: soon");
});

test("backend whose port is taken ends with 1 and says so on one line", async () => {
  const port = pickPort();
  using _taken = Deno.listen({ hostname: "0.0.0.0", port });
  await using backend = startBackend(["http://127.0.0.1:2379"], { SERVICE_PORT: String(port) });
  assertEquals(await untilEnd(backend), 1);
  assertFailure(backend, `Cannot listen on port ${port}: it is in use`);
});

/** An etcd that is secured as SECURITY.md asks for: TLS for both sides, a user and a role for each program. */
async function securedEtcd() {
  const dir = await tempDir();
  const certificates = await makeCertificates(dir.path);
  const port = pickPort();
  const etcd = await startTlsEtcd(port, certificates);
  const url = `https://127.0.0.1:${port}`;
  const { ca, client } = certificates;
  const access = ["--endpoints", url, "--cacert", ca, "--cert", client.cert, "--key", client.key];
  await giveRoles(access);
  const passwordFile = `${dir.path}/password`;
  await Deno.writeTextFile(passwordFile, `${PASSWORD}\n`);
  return {
    ...{ url, passwordFile },
    env: { ...tlsEnv(certificates), ETCD_USER: "backend-api", ETCD_PASSWORD_FILE: passwordFile },
    read: (key: string) => readAs([...access, "--user", `root:${PASSWORD}`], key),
    async [Symbol.asyncDispose]() {
      await etcd[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function tlsEnv({ ca, client }: Certificates): Record<string, string> {
  return { ETCD_CACERT: ca, ETCD_CERT: client.cert, ETCD_KEY: client.key };
}

async function readAs(access: readonly string[], key: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(requireProgram("etcdctl"), {
    args: [...access, "get", key, "--print-value-only"],
    env: { ETCDCTL_API: "3" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return decoder.decode(stdout).trim();
}

Deno.test({
  name: "backend registers and leaves at an etcd with TLS and roles, by ETCD_ variables (needs openssl)",
  ignore: !canMakeCertificates(),
  fn: async () => {
    await using etcd = await securedEtcd();
    await using backend = startBackend([etcd.url], { ...etcd.env, SERVICE_NAME: "api" });
    const key = backend.key.replace("/backend/", "/api/");
    const value = await waitFor("the backend to be registered", () => etcd.read(key), LONG);
    assertEquals(JSON.parse(value), { address: backend.address, state: "ready" });
    backend.process.kill("SIGTERM");
    assertEquals(await untilEnd(backend), 0);
    await said(backend, "no load-balancer node is alive");
    assertEquals(await etcd.read(key), "");
    assert(!backend.process.lines.join().includes(PASSWORD));
  },
});

Deno.test({
  name: "backend that may not register there says who is refused what, and keeps serving (needs openssl)",
  ignore: !canMakeCertificates(),
  fn: async () => {
    await using etcd = await securedEtcd();
    await using backend = startBackend([etcd.url], { ...etcd.env, SERVICE_NAME: "web" });
    const key = backend.key.replace("/backend/", "/web/");
    await said(backend, `etcd refuses user backend-api: no permission to change ${key}`);
    assertEquals(await get(backend.url), [200, "web1", "web1\n"]);
    // A password that is given in its environment is as good, and a wrong one is told.
    const env = { ...etcd.env, ETCD_PASSWORD_FILE: "", ETCD_PASSWORD: "wrong", SERVICE_NAME: "api" };
    await using other = startBackend([etcd.url], env);
    await said(other, "etcd refuses user backend-api: wrong name or password");
  },
});

test("backend whose credentials cannot be used ends with 2 and names the variable or the file", async () => {
  await using alone = startBackend(["https://127.0.0.1:2379"], { ETCD_CERT: "/nowhere/cert.pem" });
  assertEquals(await untilEnd(alone), 2);
  assertFailure(alone, "ETCD_CERT and ETCD_KEY go together");
  await using user = startBackend(["http://127.0.0.1:2379"], { ETCD_USER: "api" });
  assertEquals(await untilEnd(user), 2);
  assertFailure(user, "ETCD_USER needs ETCD_PASSWORD_FILE or ETCD_PASSWORD");
  await using missing = startBackend(["https://127.0.0.1:2379"], { ETCD_CACERT: "/nowhere/ca.pem" });
  assertEquals(await untilEnd(missing), 2);
  assertStringIncludes(missing.process.lines.join(), "Cannot read /nowhere/ca.pem: ");
});
