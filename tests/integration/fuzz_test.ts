import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { joinConfig, type ServerLine } from "../../lib/config/text.ts";
import { commandLine, deleteLine, drainLine, healthUpLine } from "../../lib/haproxy/wire/commands.ts";
import { buildModel, countServers, type Model, serverKey } from "../../lib/registry/model.ts";
import { compileTemplate, renderConfig } from "../../lib/config/render.ts";
import { comparable } from "../../lib/config/server_line.ts";
import { stepKey } from "../../lib/plan/step.ts";
import { Buffer } from "node:buffer";
import { createEtcdClient, type EtcdClient } from "../../lib/etcd/client.ts";
import { ask } from "../../lib/haproxy/socket.ts";
import { Load, requireProgram, startEtcdCluster, startOrigin, tempDir } from "../support/mod.ts";
import { type TestNode, testNode } from "../support/node.ts";
import { foreignCommands, foreignLines } from "../support/config_grammar.ts";
import {
  anyAddress,
  type GoodEntry,
  goodEntry,
  hostileEntry,
  hostileOverride,
  LARGE_VALUES,
  localAddress,
  type RawPair,
} from "../support/hostile.ts";

const PREFIXES = { services: "/services/", overrides: "/haproxy/settings/servers/" };
const TEMPLATE = compileTemplate(
  await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url)),
);
/** `FUZZ_SEED` repeats a run; `FUZZ_FACTOR` makes it that many times as long. */
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const FACTOR = Number(Deno.env.get("FUZZ_FACTOR") ?? 1);

interface Batch {
  readonly good: readonly GoodEntry[];
  readonly hostile: readonly RawPair[];
}

const anyBatch: fc.Arbitrary<Batch> = fc.record({
  good: fc.array(goodEntry(anyAddress), { minLength: 20, maxLength: 60 }),
  hostile: fc.array(fc.oneof(hostileEntry(), hostileEntry(), hostileOverride), {
    minLength: 100,
    maxLength: 200,
  }),
});

const latin1 = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

/** What etcd holds after all was put, good entries last, by key. */
function registryOf({ good, hostile }: Batch, large: readonly Uint8Array[] = []): Map<string, RawPair> {
  const heavy = large.map((value, index) => ({
    key: new TextEncoder().encode(`/services/large/${index}`),
    value,
  }));
  return new Map([...hostile, ...heavy, ...good].map((pair) => [latin1(pair.key), pair]));
}

function modelOf(registry: ReadonlyMap<string, RawPair>): Model {
  const entries = [...registry].map(([key, { value }]) => ({ key, value, modRevision: 1n, hasLease: true }));
  return buildModel({ revision: 1n, entries }, PREFIXES);
}

/** The good entries of a registry, by key: one that was put twice counts as it was put last. */
function goodOf({ good }: Batch): GoodEntry[] {
  return [...new Map(good.map((entry) => [latin1(entry.key), entry])).values()];
}

/** As one text, so that a difference can be read. */
function shown(server: { ip: readonly number[]; port: number; weight: number; maint: boolean }): string {
  const { ip, port, weight, maint } = server;
  return `${ip.join(".")} port ${port} weight ${weight}${maint ? " maint" : ""}`;
}

function assertGoodAreServed(model: Model, batch: Batch): void {
  const servers = new Map(
    model.services.flatMap(({ servers }) => servers.map((one) => [serverKey(one), one])),
  );
  for (const entry of goodOf(batch)) {
    const server = servers.get(serverKey(entry));
    assert(server !== undefined, `${serverKey(entry)} is not served: ${latin1(entry.value)}`);
    const ip = ipaddr.parse(server.address.host.text).toByteArray();
    const { port } = server.address;
    const { weight, state } = server;
    assertEquals(shown({ ip, port, weight, maint: state === "maint" }), shown(entry), latin1(entry.value));
  }
}

/** The lines that HAProxy's socket would be sent for a server: to have it, to change it, to be rid of it. */
function commandsFor(backend: string, line: ServerLine): string[] {
  const { address, weight } = comparable(line);
  const place = { backend, server: line.name, reason: "" };
  const steps = [
    { ...place, kind: "add", line } as const,
    { ...place, kind: "weight", weight } as const,
    { ...place, kind: "maint" } as const,
    { ...place, kind: "ready", line, from: "maint" } as const,
    ...(address?.kind === "ip" ? [{ ...place, kind: "address", line, address } as const] : []),
  ];
  const key = stepKey(place);
  return [
    ...steps.flatMap((step) => [commandLine(step, false), commandLine(step, true)]),
    ...[healthUpLine(key), drainLine(key), deleteLine(key)],
  ];
}

async function assertAccepted(haproxy: string, text: string, path: string): Promise<void> {
  await Deno.writeTextFile(path, text);
  const { code, stdout, stderr } = await new Deno.Command(haproxy, {
    args: ["-c", "-f", path],
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin", HOME: "/nowhere" },
  }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stdout) + decoder.decode(stderr));
}

Deno.test("whatever the registry holds, HAProxy accepts the text, and nothing foreign is in it", async () => {
  const haproxy = requireProgram("haproxy");
  await using dir = await tempDir();
  const settings = {
    bind: "127.0.0.1:8001",
    statsBind: "127.0.0.1:8401",
    runtimeSocket: `${dir.path}/haproxy.sock`,
    stateFile: `${dir.path}/state`,
    hardStopAfterMs: 600_000,
    hasResolvConf: true,
  };
  let cases = 0;
  let served = 0;
  await fc.assert(
    fc.asyncProperty(anyBatch, async (batch) => {
      const registry = registryOf(batch, cases === 0 ? LARGE_VALUES : []);
      const model = modelOf(registry);
      cases += registry.size;
      served += countServers(model);
      const entries = [...registry.keys()].filter((key) => key.startsWith(PREFIXES.services)).length;
      const rejected = model.rejections.filter(({ key }) => key.startsWith(PREFIXES.services)).length;
      assertEquals(countServers(model) + rejected, entries);
      assertGoodAreServed(model, batch);
      const config = renderConfig(model, TEMPLATE, settings);
      const text = joinConfig(config);
      assertEquals(foreignLines(text), []);
      for (const [backend, lines] of config.servers) {
        const commands = lines.flatMap((line) => commandsFor(backend, line));
        assertEquals(commands.flatMap(foreignCommands), []);
      }
      await assertAccepted(haproxy, text, `${dir.path}/haproxy.cfg`);
    }),
    {
      seed: SEED,
      numRuns: 20 * FACTOR,
      interruptAfterTimeLimit: 15_000 * FACTOR,
      markInterruptAsFailure: false,
    },
  );
  console.log(`seed ${SEED}: ${cases} keys, ${served} servers`);
});

/** Few services, so that many changes go by the socket; none of them is asked by a client. */
const SERVICES = fc.constantFrom(
  "main",
  "stats",
  "Web",
  "web",
  "__proto__",
  "-",
  "etcd-haproxy",
  "n".repeat(128),
);
const STEPS = 30;

const anyStep: fc.Arbitrary<Batch> = fc.record({
  good: fc.array(goodEntry(localAddress, SERVICES), { minLength: 5, maxLength: 15 }),
  hostile: fc.array(fc.oneof(hostileEntry(SERVICES), hostileOverride), { minLength: 20, maxLength: 50 }),
});

/** What HAProxy runs, by `<backend>/<server>`, told by itself. */
async function running(node: TestNode): Promise<Map<string, string>> {
  const text = await ask(node.runtimeSocket, "show servers state");
  const rows = text.split("\n").filter((line) => /^\d+ \S+ \d+ /.test(line)).map((line) => line.split(" "));
  return new Map(rows.map((row) => {
    const ip = ipaddr.parse(row[4] ?? "").toByteArray();
    const maint = (Number(row[6]) & 1) !== 0;
    return [`${row[1]}/${row[3]}`, shown({ ip, port: Number(row[18]), weight: Number(row[7]), maint })];
  }));
}

/** Puts what is new and deletes what is gone, a hundred keys a transaction; returns the last revision. */
async function write(client: EtcdClient, before: Iterable<string>, after: ReadonlyMap<string, RawPair>) {
  const gone = [...before].filter((key) => !after.has(key)).map((key) =>
    client.kv.delete().key(Buffer.from(key, "latin1"))
  );
  const puts = [...after.values()].map(({ key, value }) =>
    client.kv.put(Buffer.from(key)).value(Buffer.from(value))
  );
  const operations = [...gone, ...puts];
  let revision = 0;
  for (let at = 0; at < operations.length; at += 100) {
    const { header } = await client.kv.if("/services/", "Version", "==", 0).then(
      ...operations.slice(at, at + 100),
    )
      .commit();
    revision = Number(header.revision);
  }
  return revision;
}

Deno.test("a node serves every good entry, and its clients, whatever else is written to etcd", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  const client = createEtcdClient({ endpoints: etcd.endpoints });
  using cleanup = new DisposableStack();
  cleanup.defer(() => client.close());
  await client.kv.put("/services/backend/one").value(one.address);
  for (const [index, value] of LARGE_VALUES.entries()) {
    await client.kv.put(`/services/large/${index}`).value(Buffer.from(value));
  }
  node.start({ args: ["--admission", "none", "--server-networks", "127.0.0.0/8"] });
  await node.untilAnswer("one");
  const targets = [{ name: "node", url: node.url, keepAliveClients: 1, oneShotClients: 1 }];
  await using load = new Load({ targets });
  load.start();

  let before: Iterable<string> = [];
  let cases = 0;
  const endAt = performance.now() + 20_000 * FACTOR;
  const steps = fc.sample(anyStep, { seed: SEED, numRuns: STEPS * FACTOR });
  for (const [at, step] of steps.entries()) {
    if (performance.now() > endAt) break;
    const what = `step ${at} of seed ${SEED}`;
    const registry = registryOf(step);
    cases += registry.size;
    const revision = await write(client, before, registry);
    before = registry.keys();
    await node.untilState(what, (state) => (state.revision ?? 0) >= revision);
    await node.untilServed();
    const servers = await running(node);
    for (const entry of goodOf(step)) {
      assertEquals(servers.get(serverKey(entry)), shown(entry), `${what}: ${latin1(entry.value)}`);
    }
    const places = new Set([...registry.keys(), "/services/backend/one"]);
    assertEquals([...servers.keys()].filter((place) => !places.has(`/services/${place}`)), [], what);
    const entries = [...places].filter((key) => key.startsWith("/services/")).length + LARGE_VALUES.length;
    const { rejections } = await node.state();
    const rejected = rejections.filter(({ key }) => key.startsWith("/services/")).length;
    assertEquals(servers.size + rejected, entries, what);
    assertEquals(foreignLines(await node.readConfig()), [], what);
  }
  await load.stop();
  const failed = load.chapters.reduce((sum, { all }) => sum + all.failed, 0);
  assertEquals(failed, 0);
  assertEquals(node.controller.exited, undefined);
  console.log(`seed ${SEED}: ${cases} keys`);
});
