import { assertEquals } from "@std/assert";
import { Etcd3 } from "etcd3";
import fc from "fast-check";
import { renderSettings } from "../../lib/node/rendering.ts";
import { joinConfig } from "../../lib/config/text.ts";
import { observe } from "../../lib/haproxy/runtime.ts";
import { buildModel } from "../../lib/registry/model.ts";
import { compileTemplate, renderConfig } from "../../lib/config/render.ts";
import { startEtcdCluster, startOrigin, waitFor } from "../support/mod.ts";
import { type TestNode, testNode } from "../support/node.ts";

const TEMPLATE = compileTemplate(
  await Deno.readTextFile(new URL("../../templates/haproxy.cfg.eta", import.meta.url)),
);
const PREFIXES = { services: "/services/", overrides: "/haproxy/settings/servers/" };
const BATCHES = 15;
/** The batch that comes with a service which HAProxy has no backend for. */
const NEW_SERVICE_AT = 8;

interface Entry {
  readonly address: string;
  readonly weight: number;
  readonly state: string;
}

/** Entries by `<service>/<id>`. */
type Registry = Map<string, Entry>;

type Change = readonly [place: string, entry: Entry | undefined];

/** Adds, changes and removals; a place that comes twice in a batch is put, deleted and put again. */
function anyBatch(addresses: readonly string[]): fc.Arbitrary<Change[]> {
  const place = fc.tuple(fc.constantFrom("backend", "api"), fc.constantFrom(..."abcdefgh")).map((words) =>
    words.join("/")
  );
  const entry = fc.record({
    address: fc.constantFrom(...addresses),
    weight: fc.constantFrom(0, 1, 50, 100, 256),
    state: fc.constantFrom("ready", "ready", "ready", "drain", "maint"),
  });
  return fc.array(fc.tuple(place, fc.option(entry, { freq: 3, nil: undefined })), {
    minLength: 1,
    maxLength: 12,
  });
}

/** The text that the file must hold. */
function textOf(node: TestNode, registry: Registry): string {
  const entries = [...registry].map(([place, entry]) => ({
    key: `${PREFIXES.services}${place}`,
    value: new TextEncoder().encode(JSON.stringify(entry)),
    modRevision: 1n,
    hasLease: true,
  }));
  const settings = renderSettings({
    bind: { host: "127.0.0.1", port: node.port },
    statsBind: { host: "127.0.0.1", port: node.statsPort },
    config: node.configPath,
    stateDir: `${node.dir}/state`,
    haproxy: "haproxy",
    template: undefined,
    hardStopAfterMs: 600_000,
    serverNetworks: undefined,
  });
  return joinConfig(renderConfig(buildModel({ revision: 1n, entries }, PREFIXES), TEMPLATE, settings));
}

/** The servers that HAProxy must run, one a line. */
function wantedServers(registry: Registry): string[] {
  return [...registry].map(([place, { address, weight, state }]) =>
    shown(place, { address, weight: state === "drain" ? 0 : weight, maint: state === "maint" })
  ).sort();
}

function shown(place: string, server: { address: string; weight: number; maint: boolean }): string {
  return `${place} ${server.address} weight ${server.weight}${server.maint ? " maint" : ""}`;
}

async function runningServers(node: TestNode): Promise<string[]> {
  const observed = await observe(node);
  if (observed.kind !== "up") throw new Error(`HAProxy is ${observed.kind}`);
  const all = [...observed.servers].flatMap(([backend, servers]) =>
    [...servers.values()].map(({ name, ip, port, weight, maint, draining }) =>
      shown(`${backend}/${name}`, { address: `${ip}:${port}`, weight, maint }) + (draining ? " drain" : "")
    )
  );
  return all.sort();
}

/** Waits until file, HAProxy and registry agree, with nothing of it left to do. */
async function untilAgreed(node: TestNode, registry: Registry, what: string): Promise<void> {
  const text = textOf(node, registry);
  const wanted = wantedServers(registry);
  try {
    await waitFor("file, HAProxy and registry to agree", async () => {
      assertEquals(await runningServers(node), wanted);
      assertEquals(await node.readConfig(), text);
      return true;
    }, { deadlineMs: 10_000, everyMs: 20 });
  } catch (error) {
    assertEquals(await runningServers(node), wanted, what);
    assertEquals(await node.readConfig(), text, what);
    throw error;
  }
}

Deno.test("file, HAProxy and registry agree after each of many random changes, without a reload", async () => {
  await using etcd = await startEtcdCluster({ members: 1 });
  await using node = await testNode({ endpoints: etcd.endpoints });
  await using one = startOrigin("one");
  await using two = startOrigin("two");
  const client = new Etcd3({ hosts: [...etcd.endpoints] });
  const registry: Registry = new Map();
  let revision = 0;
  /** What was counted when the passes over all that was put are over. */
  const reloadsSoFar = async () => {
    await node.untilState("the last pass", (state) => (state.revision ?? 0) >= revision);
    await waitFor("no change that is not served", async () => await node.metric("lag_seconds") === 0);
    return await node.metric('plans_total{kind="reload"}');
  };
  const carryOut = async (changes: readonly Change[]) => {
    for (const [place, entry] of changes) {
      const key = `${PREFIXES.services}${place}`;
      // Deleting what is not there is no change: the store's revision may be that of a node's own key then.
      if (entry === undefined && !registry.has(place)) continue;
      const { header } = entry === undefined
        ? await client.delete().key(key)
        : await client.put(key).value(JSON.stringify(entry));
      revision = Number(header.revision);
      if (entry === undefined) registry.delete(place);
      else registry.set(place, entry);
    }
  };
  try {
    const always: Entry = { address: one.address, weight: 100, state: "ready" };
    node.start();
    await node.untilState("readiness", ({ readiness }) => readiness.ready);
    await carryOut([["backend/always", always], ["api/always", always]]);
    await untilAgreed(node, registry, "start");
    let reloads = await reloadsSoFar();

    const seed = Math.floor(Math.random() * 2 ** 31);
    const batches = fc.sample(anyBatch([one.address, two.address]), { seed, numRuns: BATCHES });
    for (const [at, batch] of batches.entries()) {
      const what = `batch ${at} of seed ${seed}: ${JSON.stringify(batch)}`;
      await carryOut(at === NEW_SERVICE_AT ? [...batch, ["shop/always", always]] : batch);
      await untilAgreed(node, registry, what);
      const now = await reloadsSoFar();
      if (at === NEW_SERVICE_AT) reloads = now;
      assertEquals(now, reloads, `reloads after ${what}`);
    }
    await untilAllServe(node, registry);
    assertEquals(await node.metric("drift_repairs_total"), 0);
  } finally {
    client.close();
  }
});

/** Every server answers its probe, so that each that may get requests is up in the end. */
async function untilAllServe(node: TestNode, registry: Registry): Promise<void> {
  const ready = [...registry].filter(([, { state }]) => state !== "maint").map(([place]) => place).sort();
  await node.untilState("all servers up", ({ services }) => {
    const up = services.flatMap(({ name, servers }) =>
      servers.filter(({ up }) => up === true).map(({ id }) => `${name}/${id}`)
    );
    return up.sort().join() === ready.join();
  });
}
