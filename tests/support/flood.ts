import { createEtcdClient, type EtcdClient } from "../../lib/etcd/client.ts";
import { pause, waitFor } from "../../tools/local/wait.ts";
import type { TestNode } from "./node.ts";
import type { Stage } from "./stage.ts";

const PER_SECOND = 1_000;
const SERVERS = 100;
const PER_TRANSACTION = 20;
const PROBE_EVERY_MS = 1_000;

/** What is asked of a node while changes come faster than anybody needs; generous, for machines are slow. */
const LIMITS = { visibleMs: 10_000, lagMs: 10_000, grownMib: 200 };

export interface FloodOptions {
  readonly seconds: number;
  /** `<service>/<id>` of one of the servers, counted from 0; without it, all are of one service. */
  readonly place?: (server: number) => string;
}

/**
 * A thousand changes a second to a hundred servers: weights, addresses, maintenance, entries that come, go
 * and cannot be used. Meanwhile a change that is followed by itself must reach HAProxy; afterwards the lag must end.
 */
export async function flood(
  stage: Stage,
  { seconds, place = (server) => `flood/${server}` }: FloodOptions,
): Promise<void> {
  const client = createEtcdClient({ endpoints: stage.etcd.endpoints });
  stage.closing.defer(() => client.close());
  const { node } = stage;
  const address = [...stage.origins.values()][0]?.address ?? "";
  await client.kv.put("/services/flood/probe").value(entry(address, 1));
  await node.untilServers("flood", ["probe"]);
  const before = await residentMib(node);

  const ending = new AbortController();
  const probing = probe(client, { node, address, signal: ending.signal });
  await stage.fault(`${PER_SECOND} changes a second for ${seconds} s`, async () => {
    const { changes, tookMs } = await writeFor(seconds * 1_000, client, { address, place });
    stage.note(`${Math.round(changes / tookMs * 1_000)} changes a second`);
  });
  await stage.over("the last change", () => {});
  const endedAt = performance.now();
  await waitFor("no lag", async () => await node.metric("lag_seconds") === 0, {
    deadlineMs: LIMITS.lagMs,
    everyMs: 10,
  });
  stage.note(`no lag ${Math.round(performance.now() - endedAt)} ms after the last change`);
  ending.abort();
  const slowest = await probing;
  const grown = await residentMib(node) - before;
  stage.note(`slowest change ${Math.round(slowest)} ms, memory ${before} MiB and ${grown} more`);
  if (grown > LIMITS.grownMib) throw new Error(`Cannot call memory bounded: it grew by ${grown} MiB`);
  await stage.rightAgain();
}

/** Changes a server of its own again and again; returns the longest time until HAProxy had a change, in milliseconds. */
async function probe(
  client: EtcdClient,
  { node, address, signal }: { node: TestNode; address: string; signal: AbortSignal },
): Promise<number> {
  let slowest = 0;
  for (let weight = 2; !signal.aborted; weight = weight % 256 + 1) {
    const since = performance.now();
    await client.kv.put("/services/flood/probe").value(entry(address, weight));
    await waitFor(`weight ${weight} in HAProxy`, async () => {
      const servers = await node.runningServers("flood");
      return servers.some((server) => server.name === "probe" && server.weight === weight);
    }, { deadlineMs: LIMITS.visibleMs });
    slowest = Math.max(slowest, performance.now() - since);
    await pause(PROBE_EVERY_MS, signal);
  }
  return slowest;
}

async function writeFor(
  ms: number,
  { kv }: EtcdClient,
  { address, place }: { address: string; place: (server: number) => string },
) {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  let changes = 0;
  while (elapsed() < ms) {
    if (changes > elapsed() * PER_SECOND / 1_000) {
      await pause(5);
      continue;
    }
    const operations = Array.from({ length: PER_TRANSACTION }, () => {
      const key = `/services/${place(changes % SERVERS)}`;
      const value = change(changes++, address);
      return value === undefined ? kv.delete().key(key) : kv.put(key).value(value);
    });
    // A condition that always holds: the prefix itself is never written.
    await kv.if("/services/", "Version", "==", 0).then(...operations).commit();
  }
  return { changes, tookMs: elapsed() };
}

/** The next value of a server; undefined: it is deleted. Numbers follow each other as if by chance, and always alike. */
function change(at: number, address: string): string | undefined {
  const chance = (at * 7_919 + Math.floor(at / SERVERS) * 104_729) % 100;
  if (chance < 10) return undefined;
  if (chance < 20) return `127.0.0.1:0 ${at}`;
  if (chance < 30) return entry("127.0.0.1:9", chance);
  if (chance < 40) return entry(address, chance, "maint");
  return entry(address, at % 256 + 1);
}

/** Not checked: what a flood does to health checks is not looked at here. */
function entry(address: string, weight: number, state = "ready"): string {
  return JSON.stringify({ address, weight, state, check: { disabled: true } });
}

async function residentMib({ controller }: TestNode): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${controller.pid}/status`);
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024);
}
