// The words for failures of etcd, for each way to ask it: a call, a transaction, a lease, its renewal, a watch. Faults are
// real; gRPC's own words must not be shown.
import { assert, assertMatch, assertNotMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { messageOf } from "../../lib/util/errors.ts";
import { createEtcdClient, type EtcdClient } from "../../lib/etcd/client.ts";
import type { Credentials } from "../../lib/etcd/credentials.ts";
import { grantLease, renewLease } from "../../lib/etcd/lease.ts";
import { changeIf } from "../../lib/register/key.ts";
import { watchOnce } from "../../lib/etcd/watch.ts";
import { canMakeCertificates, makeCertificates } from "../support/certificates.ts";
import { pickPort, startEtcdCluster, tempDir } from "../support/mod.ts";
import { protectEtcd, startTlsEtcd } from "../support/secured_etcd.ts";
import { startTcpProxy } from "../support/tcp_proxy.ts";

const KEY = "/services/api/one";
/** Long enough for an etcd that answers, on a slow machine. */
const BOUNDS = { limitMs: 20_000 };
/** For a renewal that an etcd does not answer; no shorter limit is set to it. */
const UNANSWERED = { renewalMs: 1_000 };
const RAW = /\b\d+ [A-Z]+(_[A-Z]+)*:|rpc error|code = |etcdserver|RST_STREAM/;

type Way = "call" | "transaction" | "grant" | "renew" | "watch";

/** The failure of each way; undefined for one that works. */
async function told(
  client: EtcdClient,
  { leaseId = "1234", renewalMs = BOUNDS.limitMs }: { leaseId?: string; renewalMs?: number } = {},
): Promise<Record<Way, string | undefined>> {
  const { kv } = client;
  return {
    call: await failure(kv.get(KEY).exec()),
    transaction: await failure(
      changeIf(kv, { key: KEY, modRevision: 0n, request: kv.put(KEY).value("v").lease(leaseId) }, BOUNDS),
    ),
    grant: await failure(grantLease(kv, 10, BOUNDS)),
    renew: await failure(renewLease(kv, leaseId, { limitMs: renewalMs })),
    watch: await watchEnd(client),
  };
}

async function failure(call: Promise<unknown>): Promise<string | undefined> {
  return await call.then(() => undefined, messageOf);
}

async function watchEnd(client: EtcdClient): Promise<string | undefined> {
  const created = new AbortController();
  const end = await watchOnce(client, {
    prefixes: [{ prefix: "/services/", seen: 1n }],
    clusterId: "of no interest",
    onEvents: () => {},
    onCreated: () => created.abort(),
    signal: created.signal,
  });
  return end.kind === "aborted" || end.reason.startsWith("cluster id") ? undefined : end.reason;
}

/** Each way has the wanted words, and none has gRPC's. */
function assertTold(all: Record<Way, string | undefined>, wanted: readonly (readonly [Way, RegExp])[]): void {
  for (const [way, text] of Object.entries(all)) assertNotMatch(text ?? "", RAW, way);
  for (const [way, pattern] of wanted) assertMatch(all[way] ?? "no failure", pattern, way);
}

const WAYS: readonly Way[] = ["call", "transaction", "grant", "renew", "watch"];
const each = (pattern: RegExp, ways = WAYS) => ways.map((way) => [way, pattern] as const);

interface Open extends Disposable {
  readonly client: EtcdClient;
}

function open(url: string, credentials: Credentials = {}): Open {
  const client = createEtcdClient({ endpoints: [url], credentials: () => Promise.resolve(credentials) });
  return { client, [Symbol.dispose]: () => client.close() };
}

Deno.test("an endpoint that refuses, and one without a name, are told by every way", async () => {
  const port = pickPort();
  using refusing = open(`http://127.0.0.1:${port}`);
  const reason = new RegExp(`^etcd cannot be reached at http://127.0.0.1:${port}: connect ECONNREFUSED `);
  assertTold(await told(refusing.client), each(reason));
  using nameless = open("http://nowhere.invalid:2379");
  assertTold(
    await told(nameless.client),
    each(/^etcd cannot be reached at http:\/\/nowhere.invalid:2379: its name/),
  );
});

Deno.test("a frozen etcd is told by every way", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  const url = etcd.member(0).endpoint;
  using asking = open(url);
  const lease = await grantLease(asking.client.kv, 60, BOUNDS);
  etcd.member(0).process?.freeze();
  const all = await told(asking.client, { leaseId: lease.id, ...UNANSWERED });
  etcd.member(0).process?.resume();
  assertTold(all, [
    ...each(new RegExp(`^etcd at ${url} does not answer$`), ["call", "transaction", "grant", "renew"]),
    ["watch", /^no answer to the watch within \d+ ms$/],
  ]);
});

Deno.test("a connection that is reset in the middle of a call is told, without a guess", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using proxy = startTcpProxy(Number(new URL(etcd.member(0).endpoint).port));
  const url = `http://127.0.0.1:${proxy.port}`;
  using asking = open(url);
  const lease = await grantLease(asking.client.kv, 60, BOUNDS);
  proxy.cut();
  const renewal = failure(renewLease(asking.client.kv, lease.id, BOUNDS));
  await asking.client.openWatch();
  proxy.mend();
  const text = await renewal ?? "";
  assertNotMatch(text, RAW);
  assertMatch(text, new RegExp(`^etcd cannot be reached at ${url}: [^()]+$`));
});

Deno.test("a wrong password, and a permission that is not there, are told by every way", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.etcdctl("user", "add", "nobody:x");
  await protectEtcd(etcd, { lb: "first" });
  const url = etcd.member(0).endpoint;
  using wrong = open(url, { auth: { username: "lb", password: "wrong" } });
  assertTold(await told(wrong.client), each(/^etcd refuses user lb: wrong name or password$/));
  using nobody = open(url, { auth: { username: "nobody", password: "x" } });
  assertTold(await told(nobody.client), [
    ["call", /^etcd refuses user nobody: no permission to read \/services\/api\/one$/],
    ["transaction", /^etcd refuses user nobody: no permission to change \/services\/api\/one$/],
    ["watch", /^etcd refuses user nobody: no permission to watch \/services\/$/],
  ]);
  using without = open(url);
  assertTold(await told(without.client), [
    ...each(/^etcd refuses a client without --user: authentication is on$/, [
      "call",
      "transaction",
      "watch",
    ]),
  ]);
});

Deno.test("etcd that is out of space says so at each write", async () => {
  await using etcd = await startEtcdCluster({ members: 1, args: ["--quota-backend-bytes", "4194304"] });
  const url = etcd.member(0).endpoint;
  using asking = open(url);
  const { kv } = asking.client;
  const lease = await grantLease(kv, 60, BOUNDS);
  const full = new RegExp(`^etcd at ${url} accepts no writes: database space exceeded \\(alarm NOSPACE\\)$`);
  const fill = async () => {
    for (let i = 0; i < 10; i++) await kv.put(`/big/${i}`).value("x".repeat(1_000_000)).exec();
  };
  assertMatch(await failure(fill()) ?? "no failure", full);
  const all = await told(asking.client, { leaseId: lease.id });
  assertTold(all, each(full, ["transaction", "grant"]));
  assert(all.call === undefined && all.renew === undefined && all.watch === undefined);
});

Deno.test("a member without a leader is told", async () => {
  await using etcd = await startEtcdCluster({ members: 3 });
  const url = etcd.member(0).endpoint;
  using asking = open(url);
  const lease = await grantLease(asking.client.kv, 60, BOUNDS);
  await Promise.all([etcd.member(1).stop(), etcd.member(2).stop()]);
  assertTold(await told(asking.client, { leaseId: lease.id, ...UNANSWERED }), [
    ...each(new RegExp(`^etcd at ${url} `), ["call", "transaction", "grant", "renew"]),
  ]);
});

Deno.test({
  name: "TLS that does not fit is told by every way, with a guess (needs openssl)",
  ignore: !canMakeCertificates(),
  fn: async () => {
    await using dirs = await tempDir();
    await Deno.mkdir(`${dirs.path}/other`);
    const [ours, other] = [await makeCertificates(dirs.path), await makeCertificates(`${dirs.path}/other`)];
    const port = pickPort();
    await using _etcd = await startTlsEtcd(port, ours);
    await using plainEtcd = await startEtcdCluster({ members: 1 });
    const read = (file: string) => Buffer.from(Deno.readFileSync(file));
    const client = { cert: read(ours.client.cert), key: read(ours.client.key) };
    const url = `https://127.0.0.1:${port}`;
    const cases = [
      [url, { ca: read(ours.ca) }, "does etcd accept the client certificate"],
      [url, { ca: read(other.ca), ...client }, "is --cacert the authority of etcd's certificate"],
      [url.replace("https", "http"), undefined, "does etcd speak https there"],
      [
        plainEtcd.member(0).endpoint.replace("http", "https"),
        { ca: read(ours.ca) },
        "does etcd speak http there",
      ],
    ] as const;
    for (const [place, tls, guess] of cases) {
      using asking = open(place, tls === undefined ? {} : { tls });
      assertTold(
        await told(asking.client),
        each(new RegExp(`^etcd cannot be reached at ${place}: .*\\(${guess}\\?\\)$`)),
      );
    }
  },
});
