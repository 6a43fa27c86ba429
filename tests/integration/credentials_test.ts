import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Etcd3 } from "etcd3";
import { createEtcdClient, type EtcdClient, type EtcdOptions } from "../../lib/etcd/client.ts";
import type { Credentials } from "../../lib/etcd/credentials.ts";
import { type EtcdEvent, followEtcd } from "../../lib/etcd/follow.ts";
import { canMakeCertificates, type Certificates, makeCertificates } from "../support/certificates.ts";
import { type EtcdCluster, pickPort, startEtcdCluster, tempDir, waitFor } from "../support/mod.ts";
import { changePassword, protectEtcd, startTlsEtcd } from "../support/secured_etcd.ts";

const PREFIX = "/services/";

/** A client that follows a prefix, and what it saw. */
class Follower implements AsyncDisposable {
  readonly keys = new Set<string>();
  readonly events: EtcdEvent[] = [];
  readonly client: EtcdClient;
  renewals = 0;
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;

  constructor(options: EtcdOptions) {
    this.client = createEtcdClient({ ...options, onRenewed: () => this.renewals++ });
    this.#following = followEtcd({
      client: this.client,
      prefixes: [PREFIX],
      onChange: ({ entries }) => entries.forEach((_, key) => this.keys.add(key)),
      onEvent: (event) => this.events.push(event),
      signal: this.#stop.signal,
    });
  }

  /** Writes with the client itself, and waits until its watch has told of it. */
  async seesItsWrite(id: string): Promise<void> {
    await this.client.kv.put(`${PREFIX}${id}`).value("x");
    await this.untilSeen(id);
  }

  async untilSeen(id: string): Promise<void> {
    await waitFor(`${id} to be seen`, () => this.keys.has(`${PREFIX}${id}`));
  }

  /** Waits until an event of this kind came, and returns the newest. */
  async until<Kind extends EtcdEvent["kind"]>(kind: Kind): Promise<Extract<EtcdEvent, { kind: Kind }>> {
    const isKind = (event: EtcdEvent): event is Extract<EtcdEvent, { kind: Kind }> => event.kind === kind;
    return await waitFor(`an event ${kind}`, () => this.events.findLast(isKind));
  }

  count(kind: EtcdEvent["kind"]): number {
    return this.events.filter((event) => event.kind === kind).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#following;
    this.client.close();
  }
}

/** Credentials that a test replaces. */
function replaceable(first: Credentials) {
  let now = first;
  return {
    source: () => Promise.resolve(now),
    replace: (next: Credentials) => now = next,
  };
}

const lb = (password: string): Credentials => ({ auth: { username: "lb", password } });

function following(etcd: EtcdCluster, credentials: EtcdOptions["credentials"]): Follower {
  return new Follower({ endpoints: etcd.endpoints, ...(credentials ? { credentials } : {}) });
}

/** Waits until etcd logs that it has dropped a token. */
async function untilTokenExpired(etcd: EtcdCluster): Promise<void> {
  await waitFor("a token to expire", () => {
    return etcd.member(0).process?.lines.some((line) => line.includes("deleted a simple token"));
  });
}

Deno.test("a token that has expired is replaced: calls and watch continue", async () => {
  await using etcd = await startEtcdCluster({ members: 1, args: ["--auth-token-ttl", "1"] });
  await protectEtcd(etcd, { lb: "first" });
  await using follower = following(etcd, () => Promise.resolve(lb("first")));
  await follower.until("watching");
  await untilTokenExpired(etcd);
  await follower.seesItsWrite("a");
  assertEquals(follower.count("read"), 1);
  assertEquals(follower.count("watch-ended"), 0);
});

Deno.test({
  name: "a signed token that has expired is replaced as well (needs openssl for the key)",
  ignore: !canMakeCertificates(),
  fn: async () => {
    await using dir = await tempDir();
    const { server } = await makeCertificates(dir.path);
    const token = `jwt,pub-key=${server.cert},priv-key=${server.key},sign-method=ES256,ttl=3s`;
    await using etcd = await startEtcdCluster({ members: 1, args: ["--auth-token", token] });
    await protectEtcd(etcd, { lb: "first" });
    await using follower = following(etcd, () => Promise.resolve(lb("first")));
    await follower.until("watching");
    const startedAt = performance.now();
    for (let i = 0; performance.now() - startedAt < 4_000; i++) await follower.seesItsWrite(`k${i}`);
    assertEquals(follower.count("read"), 1);
    // A change of users or roles makes every signed token too old at once.
    await changePassword(etcd, "root", "admin");
    await follower.seesItsWrite("z");
  },
});

Deno.test("etcd that is restarted has forgotten its tokens, and nothing is read again for that", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await protectEtcd(etcd, { lb: "first" });
  await using follower = following(etcd, () => Promise.resolve(lb("first")));
  await follower.until("watching");
  await etcd.member(0).stop();
  await etcd.member(0).start();
  await waitFor("the watch to be back", () => follower.count("watching") === 2);
  await follower.seesItsWrite("a");
  assertEquals(follower.count("read"), 1);
});

Deno.test("authentication that is switched on underneath a client with credentials stops nothing", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using follower = following(etcd, () => Promise.resolve(lb("first")));
  await follower.until("watching");
  await follower.seesItsWrite("before");
  await protectEtcd(etcd, { lb: "first" });
  await follower.seesItsWrite("after");
  await etcd.member(0).stop();
  await etcd.member(0).start();
  await follower.seesItsWrite("restarted");
});

Deno.test("authentication that is switched on underneath a client without user is explained", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const client = createEtcdClient({ endpoints: etcd.endpoints });
  await client.kv.get("a").exec();
  await protectEtcd(etcd, {});
  await assertRejects(
    () => client.kv.get("a").exec(),
    Error,
    "etcd refuses a client without --user: authentication is on",
  );
  client.close();
});

for (const order of ["etcd", "the file"]) {
  Deno.test(`a password that is changed, in ${order} first, is taken up by the client that runs`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await protectEtcd(etcd, { lb: "first" });
    const credentials = replaceable(lb("first"));
    await using follower = following(etcd, credentials.source);
    await follower.until("watching");
    if (order === "the file") credentials.replace(lb("second"));
    await follower.seesItsWrite("meanwhile");
    await changePassword(etcd, "lb", "second");
    if (order === "etcd") {
      await assertRejects(
        () => follower.client.kv.get("a").exec(),
        Error,
        "etcd refuses user lb: wrong name or password",
      );
      credentials.replace(lb("second"));
    }
    await follower.seesItsWrite("after");
    assertEquals(follower.renewals, 1);
    assertEquals(follower.count("read"), 1);
  });
}

Deno.test("a wrong password is reported and tried again until it is right", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await protectEtcd(etcd, { lb: "first" });
  const credentials = replaceable(lb("wrong"));
  await using follower = following(etcd, credentials.source);
  await waitFor("two attempts", () => follower.count("connecting") >= 2);
  assertEquals((await follower.until("connecting")).reason, "etcd refuses user lb: wrong name or password");
  credentials.replace(lb("first"));
  await follower.until("watching");
});

Deno.test("a key that a user may not touch is named, escaped", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.etcdctl("user", "add", "nobody:x");
  await protectEtcd(etcd, {});
  const client = createEtcdClient({
    endpoints: etcd.endpoints,
    credentials: () => Promise.resolve({ auth: { username: "nobody", password: "x" } }),
  });
  const refused = (call: () => Promise<unknown>, what: string) =>
    assertRejects(call, Error, `etcd refuses user nobody: no permission to ${what}`);
  await refused(() => client.kv.put("/a\n").value("x").exec(), "write /a\\x0a");
  await refused(() => client.kv.getAll().prefix("/services/").exec(), "read /services/");
  await refused(() => client.kv.delete().key("/a").exec(), "delete /a");
  client.close();
});

Deno.test("when credentials cannot be read, the client keeps the old ones and reports it", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await protectEtcd(etcd, { lb: "first" });
  let source: () => Promise<Credentials> = () => Promise.resolve(lb("first"));
  await using follower = following(etcd, () => source());
  await follower.until("watching");
  source = () => Promise.reject(new Error("Cannot read /secret: it is gone"));
  await etcd.member(0).stop();
  await etcd.member(0).start();
  await follower.seesItsWrite("a");
  await changePassword(etcd, "lb", "second");
  await assertRejects(
    () => follower.client.kv.get("a").exec(),
    Error,
    "etcd refuses user lb: wrong name or password; Cannot read /secret: it is gone",
  );
  source = () => Promise.resolve(lb("second"));
  await follower.seesItsWrite("b");
});

Deno.test("an endpoint that is not there is named with its reason", async () => {
  const port = pickPort();
  const client = createEtcdClient({ endpoints: [`http://127.0.0.1:${port}`] });
  await assertRejects(
    () => client.kv.get("a").exec(),
    Error,
    `etcd cannot be reached at http://127.0.0.1:${port}: connect ECONNREFUSED`,
  );
  client.close();
});

const read = (file: string) => Buffer.from(Deno.readFileSync(file));

function tlsOf(authority: Certificates, client?: Certificates["client"]): Credentials {
  return {
    tls: { ca: read(authority.ca), ...(client ? { cert: read(client.cert), key: read(client.key) } : {}) },
  };
}

/** Connections of this process to a port, as the kernel lists them. */
function connectionsTo(port: number): number {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = Deno.readTextFileSync("/proc/self/net/tcp").split("\n").map((row) => row.trim().split(/\s+/));
  return rows.filter(([, , to, state]) => to === remote && state === "01").length;
}

Deno.test({
  name: "certificates and their authority are replaced underneath a client that runs (needs openssl)",
  ignore: !canMakeCertificates(),
  fn: async () => {
    await using dirs = await tempDir();
    const [old, renewed] = await Promise.all(["old", "new"].map(async (name) => {
      await Deno.mkdir(`${dirs.path}/${name}`);
      return await makeCertificates(`${dirs.path}/${name}`);
    }));
    assert(old !== undefined && renewed !== undefined);
    const live = await copyOf(old, dirs.path);
    const port = pickPort();
    await using etcd = await startTlsEtcd(port, live);
    const endpoints = [`https://127.0.0.1:${port}`];
    const credentials = replaceable(tlsOf(old, old.client));
    await using follower = new Follower({ endpoints, credentials: credentials.source });
    await follower.until("watching");
    await follower.seesItsWrite("before");

    await copyOf(renewed, dirs.path);
    await etcd.member(0).stop();
    await etcd.member(0).start();
    const waiting = await assertRejects(() => follower.client.kv.get("a").exec(), Error);
    assertMatch(waiting.message, /^etcd cannot be reached at https:\/\/127\.0\.0\.1:\d+: .*certificate/);
    credentials.replace(tlsOf(renewed, renewed.client));
    await follower.seesItsWrite("after");
    assertEquals(follower.renewals, 1);
  },
});

/** Puts etcd's files where they can be replaced. */
async function copyOf(
  { ca, server }: Certificates,
  dir: string,
): Promise<Pick<Certificates, "ca" | "server">> {
  const live = { ca: `${dir}/ca.pem`, server: { cert: `${dir}/server.pem`, key: `${dir}/server.key` } };
  await Deno.copyFile(ca, live.ca);
  await Deno.copyFile(server.cert, live.server.cert);
  await Deno.copyFile(server.key, live.server.key);
  return live;
}

Deno.test({
  name:
    "credentials that change often leave no connections behind, and calls and watch undisturbed (needs openssl)",
  ignore: !canMakeCertificates(),
  fn: async () => {
    await using dir = await tempDir();
    const certificates = await makeCertificates(dir.path);
    const port = pickPort();
    await using _etcd = await startTlsEtcd(port, certificates);
    const credentials = replaceable(tlsOf(certificates, certificates.client));
    const endpoints = [`https://127.0.0.1:${port}`];
    await using follower = new Follower({ endpoints, credentials: credentials.source });
    await follower.until("watching");
    await follower.seesItsWrite("first");
    const before = connectionsTo(port);
    const calls: Promise<unknown>[] = [];
    for (let round = 0; round < 5; round++) {
      const ca = Buffer.concat([read(certificates.ca), Buffer.from("\n".repeat(round + 1))]);
      credentials.replace({ tls: { ...tlsOf(certificates, certificates.client).tls, ca } });
      const call = () => calls.push(follower.client.kv.get("a").exec());
      for (let i = 0; i < 10; i++) call();
      const opened = follower.client.openWatch();
      for (let i = 0; i < 10; i++) Promise.resolve().then(call);
      (await opened).cancel();
      await follower.seesItsWrite(`r${round}`);
    }
    await Promise.all(calls);
    assertEquals(calls.length, 100);
    assertEquals(follower.renewals, 5);
    assertEquals(follower.count("watch-ended"), 0);
    await waitFor(`${before} connections`, () => {
      const now = connectionsTo(port);
      if (now > before) throw new Error(`${now} connections`);
      return true;
    });
  },
});

Deno.test({
  name:
    "a certificate that etcd does not take, and an authority that is another, are explained (needs openssl)",
  ignore: !canMakeCertificates(),
  fn: async () => {
    await using dirs = await tempDir();
    await Deno.mkdir(`${dirs.path}/other`);
    const [ours, other] = [await makeCertificates(dirs.path), await makeCertificates(`${dirs.path}/other`)];
    const port = pickPort();
    await using _etcd = await startTlsEtcd(port, ours);
    const refused = async (tls: Credentials, scheme = "https") => {
      const endpoints = [`${scheme}://127.0.0.1:${port}`];
      const client = createEtcdClient({ endpoints, credentials: () => Promise.resolve(tls) });
      try {
        return (await assertRejects(() => client.kv.get("a").exec(), Error)).message;
      } finally {
        client.close();
      }
    };
    assertMatch(await refused(tlsOf(ours)), /does etcd accept the client certificate\?/);
    assertMatch(await refused(tlsOf(ours, other.client)), /does etcd accept the client certificate\?/);
    assertMatch(
      await refused(tlsOf(other, ours.client)),
      /is --cacert the authority of etcd's certificate\?/,
    );
    assertMatch(await refused({}, "http"), /does etcd speak https there\?/);
  },
});

Deno.test({
  name: "etcd takes the name in a client certificate for the user, without a password (needs openssl)",
  ignore: !canMakeCertificates(),
  fn: async () => {
    await using dir = await tempDir();
    const certificates = await makeCertificates(dir.path);
    const port = pickPort();
    await using _etcd = await startTlsEtcd(port, certificates);
    const credentials = () => Promise.resolve(tlsOf(certificates, certificates.client));
    const endpoints = [`https://127.0.0.1:${port}`];
    const administrator = createEtcdClient({ endpoints, credentials });
    await protectForCertificate(administrator.kv, "client");
    administrator.close();
    await using follower = new Follower({ endpoints, credentials });
    await follower.until("watching");
    await follower.seesItsWrite("a");
  },
});

/** Switches authentication on, for a user who is named in a certificate and may do everything with keys. */
async function protectForCertificate(kv: Etcd3, name: string): Promise<void> {
  await kv.user("root").create("admin");
  await kv.role("root").addUser("root");
  await kv.role("everything").create();
  await kv.role("everything").grant({ permission: "Readwrite", range: kv.range({ prefix: "" }) });
  await kv.user(name).create("unused");
  await kv.role("everything").addUser(name);
  await kv.auth.authEnable();
}
