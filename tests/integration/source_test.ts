import { assertEquals, assertStringIncludes } from "@std/assert";
import type { IWatchResponse } from "etcd3";
import { createEtcdClient, type EtcdClient } from "../../lib/etcd/client.ts";
import { createMirror, type MirrorEvent, type Source, type SourceOptions } from "../../lib/etcd/mirror.ts";
import { createReread } from "../../lib/etcd/reread.ts";
import type { Snapshot } from "../../lib/registry/snapshot.ts";
import { type EtcdCluster, startEtcdCluster, waitFor } from "../support/mod.ts";

const SOURCES: Record<string, (options: SourceOptions) => Source> = {
  mirror: createMirror,
  reread: createReread,
};
const PREFIXES = ["/services/", "/haproxy/settings/servers/"];

/** A source that runs, and its events. */
async function startSource(
  etcd: EtcdCluster,
  create: (options: SourceOptions) => Source,
  more: Partial<SourceOptions> = {},
) {
  const client = createEtcdClient({ endpoints: etcd.endpoints });
  const events: MirrorEvent[] = [];
  const seen = { changes: 0, events };
  const stop = new AbortController();
  const source = create({
    client,
    prefixes: PREFIXES,
    onChange: () => seen.changes++,
    onEvent: (event) => events.push(event),
    ...more,
  });
  const running = source.run(stop.signal);
  await waitFor("a watch", () => events.some(({ kind }) => kind === "watching"));
  const close = async () => {
    stop.abort();
    await running;
    client.close();
  };
  return { source, seen, client, [Symbol.asyncDispose]: close };
}

function shown(snapshot: Snapshot | undefined): string {
  const entries = snapshot?.entries.map(({ key, value }) => `${key}=${new TextDecoder().decode(value)}`) ??
    [];
  return entries.sort().join(" ");
}

async function untilShown(source: Source, wanted: string): Promise<Snapshot | undefined> {
  return await waitFor(wanted || "nothing", async () => {
    const snapshot = await source.snapshot();
    if (shown(snapshot) !== wanted) throw new Error(`snapshot is ${shown(snapshot)}`);
    return snapshot;
  });
}

for (const [name, create] of Object.entries(SOURCES)) {
  Deno.test(`${name}: shows what was there, and every change, at the revision of the last one`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await etcd.put("/services/b/1", "one");
    await etcd.put("/services2/b/1", "elsewhere");
    await using started = await startSource(etcd, create);
    const { source, seen } = started;
    assertEquals((await untilShown(source, "/services/b/1=one"))?.revision, 3n);
    // Each change is waited for until it rang: several that come together ring once.
    const rings = async (change: Promise<unknown>) => {
      const before = seen.changes;
      await change;
      await waitFor("a ring", () => seen.changes > before);
    };
    await rings(etcd.put("/services/b/2", "two"));
    await untilShown(source, "/services/b/1=one /services/b/2=two");
    await rings(etcd.put("/services/b/1", "uno"));
    await untilShown(source, "/services/b/1=uno /services/b/2=two");
    await rings(etcd.put("/haproxy/settings/servers/b/1", "{}"));
    await untilShown(source, "/haproxy/settings/servers/b/1={} /services/b/1=uno /services/b/2=two");
    await rings(etcd.etcdctl("del", "/services/b/", "--prefix"));
    assertEquals((await untilShown(source, "/haproxy/settings/servers/b/1={}"))?.revision, 7n);
  });

  Deno.test(`${name}: is synced when its watch has run for a while, and not before`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    const client = createEtcdClient({ endpoints: etcd.endpoints });
    const source = create({ client, prefixes: PREFIXES, onChange: () => {}, onEvent: () => {} });
    assertEquals(source.isSynced(), false);
    client.close();
    await using started = await startSource(etcd, create);
    await waitFor("a synced source", started.source.isSynced);
  });

  Deno.test(`${name}: a transaction is seen whole or not at all`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await using started = await startSource(etcd, create);
    const { source, client } = started;
    const counts = new Set<number>();
    let looking = true;
    const looks = (async () => {
      while (looking) {
        counts.add((await source.snapshot())?.entries.length ?? 0);
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    })();
    const puts = Array.from({ length: 50 }, (_, index) => client.kv.put(`/services/b/${index}`).value("x"));
    await client.kv.if("/none", "Version", "==", 0).then(...puts).commit();
    await waitFor("50 entries", async () => (await source.snapshot())?.entries.length === 50);
    looking = false;
    await looks;
    assertEquals([...counts].filter((count) => count !== 0 && count !== 50), []);
  });

  Deno.test(`${name}: an etcd that was restarted is followed without a gap`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    await using started = await startSource(etcd, create);
    await etcd.put("/services/b/1", "one");
    await untilShown(started.source, "/services/b/1=one");
    await etcd.member(0).kill();
    await waitFor("the loss", () => started.seen.events.some(({ kind }) => kind === "watch-ended"));
    await etcd.member(0).start();
    await etcd.delete("/services/b/1");
    await etcd.put("/services/b/2", "two");
    await waitFor(
      "what was missed",
      async () => shown(await started.source.snapshot().catch(() => undefined)) === "/services/b/2=two",
    );
    await etcd.put("/services/b/3", "three");
    await untilShown(started.source, "/services/b/2=two /services/b/3=three");
    assertEquals(started.seen.events.filter(({ kind }) => kind === "mirror-wrong"), []);
  });

  Deno.test(`${name}: what was compacted away before the watch was there is read again`, async () => {
    await using etcd = await startEtcdCluster({ members: 1 });
    const inner = createEtcdClient({ endpoints: etcd.endpoints });
    const compact = async () => {
      await etcd.put("/services/b/1", "one");
      for (let i = 0; i < 3; i++) await etcd.put("/elsewhere", String(i));
      await etcd.etcdctl("compact", String(await etcd.revision()));
    };
    let compacted: Promise<void> | undefined;
    // A watch that runs out of time meanwhile is opened again, and waits for the same.
    const openWatch = async () => {
      await (compacted ??= compact());
      return await inner.openWatch();
    };
    await using started = await startSource(etcd, create, { client: { ...inner, openWatch } });
    const { events } = started.seen;
    const reads = () => events.filter((event) => event.kind === "read").map(({ why }) => why);
    await waitFor("the second watch", () => reads().length > 1 && events.at(-1)?.kind === "watching");
    await untilShown(started.source, "/services/b/1=one");
    assertEquals(reads(), ["start", "compacted up to revision 5"]);
    inner.close();
  });
}

Deno.test("mirror: keys of different bytes stay different keys, and a huge value is cut", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using started = await startSource(etcd, createMirror);
  const { Buffer } = await import("node:buffer");
  for (const byte of [0xff, 0xfe]) {
    await started.client.kv.put(Buffer.from([...Buffer.from("/services/b/"), byte])).value("x");
  }
  await started.client.kv.put("/services/b/big").value("x".repeat(500_000));
  const snapshot = await waitFor("three entries", async () => {
    const snapshot = await started.source.snapshot();
    return snapshot?.entries.length === 3 ? snapshot : undefined;
  });
  assertEquals(Math.max(...snapshot.entries.map(({ value }) => value.length)), 64 * 1024 + 1);
});

/** A client whose watch loses the deletion of a key. */
function losing(client: EtcdClient, lost: string): EtcdClient {
  const openWatch = async () => {
    const stream = await client.openWatch();
    const original = stream.on;
    const filter = (response: IWatchResponse) => ({
      ...response,
      events: response.events.filter(({ type, kv }) =>
        !(type.toUpperCase() === "DELETE" && kv.key.toString() === lost)
      ),
    });
    const filtered = (event: string, handler: (value: IWatchResponse) => void) => {
      const wrapped = event === "data" ? (value: IWatchResponse) => handler(filter(value)) : handler;
      return Reflect.apply(original, stream, [event, wrapped]);
    };
    return Object.assign(stream, { on: filtered });
  };
  return { ...client, openWatch };
}

Deno.test("mirror: its own check finds an event that was lost, and everything is read again", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.put("/services/b/1", "one");
  const client = losing(createEtcdClient({ endpoints: etcd.endpoints }), "/services/b/1");
  await using started = await startSource(etcd, createMirror, { client, countEveryMs: 200 });
  await etcd.delete("/services/b/1");
  await etcd.put("/services/b/2", "two");
  await waitFor("the complaint", () => started.seen.events.some(({ kind }) => kind === "mirror-wrong"));
  await untilShown(started.source, "/services/b/2=two");
  client.close();
});

Deno.test("mirror: the full compare finds a value that is not etcd's", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.put("/services/b/1", "one");
  await etcd.put("/services/b/2", "two");
  const client = losing(createEtcdClient({ endpoints: etcd.endpoints }), "/services/b/1");
  await using started = await startSource(etcd, createMirror, { client, compareEveryMs: 200 });
  await etcd.delete("/services/b/1");
  await etcd.put("/services/b/3", "three");
  await waitFor("the complaint", () => started.seen.events.some(({ kind }) => kind === "mirror-wrong"));
  await untilShown(started.source, "/services/b/2=two /services/b/3=three");
  client.close();
});

Deno.test("mirror: its checks find nothing wrong while it is right", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using started = await startSource(etcd, createMirror, { countEveryMs: 20, compareEveryMs: 30 });
  for (let i = 0; i < 20; i++) await etcd.put(`/services/b/${i % 7}`, String(i));
  await etcd.delete("/services/b/3");
  await waitFor("6 entries", async () => (await started.source.snapshot())?.entries.length === 6);
  assertEquals(
    started.seen.events.filter(({ kind }) => kind === "mirror-wrong" || kind === "check-failed"),
    [],
  );
});

Deno.test("mirror: reports that reads are refused while its watch works, and when they are answered again", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await etcd.etcdctl("user", "add", "root:secret");
  await etcd.etcdctl("user", "grant-role", "root", "root");
  await using started = await startSource(etcd, createMirror);
  const { events } = started.seen;
  await etcd.etcdctl("auth", "enable");
  const refused = await waitFor("refused reads", () => events.find(({ kind }) => kind === "reads-refused"));
  assertStringIncludes(JSON.stringify(refused), "authentication is on");
  await etcd.etcdctl("--user", "root:secret", "put", "/services/b/1", "one");
  await untilShown(started.source, "/services/b/1=one");
  await etcd.etcdctl("--user", "root:secret", "auth", "disable");
  await waitFor("answered reads", () => events.at(-1)?.kind === "reads-answered");
  assertEquals(events.map(({ kind }) => kind), ["read", "watching", "reads-refused", "reads-answered"]);
});
