import { type Bench, rangeRequests, rest, restUntil } from "../bench.ts";
import { Contestant } from "../contestant.ts";
import { cpuPerChange, type CpuSeconds } from "../proc.ts";
import { manyServers, uncheckedEntry } from "../registry.ts";
import { type Name, NAMES } from "../report.ts";
import { hasUp } from "../sight.ts";
import { median } from "../stats.ts";

const GUEST = { service: "backend", id: "guest" };
const SETTLE_MS = 1_500;
const BETWEEN_MS = 150;

/** What was measured of one contestant at one number of servers. Times are milliseconds. */
export interface ScaleCell {
  readonly name: Name;
  readonly servers: number;
  readonly addMs: number;
  readonly removeMs: number;
  readonly cpuMs: CpuSeconds;
  readonly residentMib: number;
  readonly changes: number;
  readonly rangeRequests: number;
}

/** A contestant that is kept running, and its results. */
export interface Measured {
  readonly contestant: Contestant;
  readonly cell: ScaleCell;
  readonly endedAt: number;
}

/** Measures each contestant in turn at one number of servers; `keep` gets the ones that must not be stopped yet. */
export async function measureSize(
  servers: number,
  bench: Bench,
  keep: (measured: Measured) => boolean,
): Promise<ScaleCell[]> {
  const cells: ScaleCell[] = [];
  for (const name of NAMES) {
    const measured = await measureOne(name, servers, bench);
    const { cell, contestant } = measured;
    const { controller, haproxy, etcd } = cell.cpuMs;
    const cpu = [controller, haproxy, etcd].map((ms) => ms.toFixed(1)).join(" / ");
    bench.say(`  ${servers} ${name}: up after ${cell.addMs.toFixed(1)} ms, CPU ${cpu} ms`);
    cells.push(cell);
    if (keep(measured)) continue;
    await contestant.stop();
    await contestant[Symbol.asyncDispose]();
  }
  return cells;
}

async function measureOne(name: Name, servers: number, bench: Bench): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const contestant = stack.use(await Contestant.make(name, bench));
  await contestant.registry.fill(manyServers(servers, bench.origins.addresses));
  await contestant.start(servers);
  await rest(SETTLE_MS, bench);
  const latency = await measureTimes(contestant, pairsFor(name, bench), bench);
  const cpu = await measureCpu(contestant, latency.addMs, bench);
  const cell = { name, servers, ...latency, ...cpu, residentMib: await contestant.residentMib() };
  stack.move();
  return { contestant, cell, endedAt: performance.now() };
}

function pairsFor(name: Name, { quick }: Bench): number {
  if (quick) return 2;
  return name === "reload" ? 4 : 10;
}

/** How long until a server is there, and until one gets no more requests. */
async function measureTimes(contestant: Contestant, pairs: number, bench: Bench) {
  const [adds, removes]: [number[], number[]] = [[], []];
  const value = uncheckedEntry(bench.origins.addresses[0] ?? "");
  for (let pair = 0; pair < pairs; pair++) {
    adds.push(await timed(contestant, true, () => contestant.registry.put({ ...GUEST, value })));
    await rest(BETWEEN_MS, bench);
    removes.push(await timed(contestant, false, () => contestant.registry.delete(GUEST)));
    await rest(BETWEEN_MS, bench);
  }
  return { addMs: median(adds), removeMs: median(removes) };
}

async function timed(contestant: Contestant, isUp: boolean, change: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  const [seenAt] = await Promise.all([
    contestant.untilServers("a change", (seen) => hasUp(seen, GUEST.id) === isUp, { backend: GUEST.service }),
    change(),
  ]);
  return seenAt - startedAt;
}

/** CPU per change without looking at HAProxy, which would cost it more than the change. */
async function measureCpu(contestant: Contestant, addMs: number, bench: Bench) {
  const changes = changesFor(contestant.name, bench);
  const everyMs = Math.max(200, addMs * 1.7);
  const value = uncheckedEntry(bench.origins.addresses[0] ?? "");
  const [before, rangesBefore] = [await contestant.cpuSeconds(), await rangeRequests(bench)];
  const startedAt = performance.now();
  for (let change = 0; change < changes; change++) {
    await restUntil(startedAt + change * everyMs, bench);
    if (change % 2 === 0) await contestant.registry.put({ ...GUEST, value });
    else await contestant.registry.delete(GUEST);
  }
  await rest(everyMs + 300, bench);
  const ranges = await rangeRequests(bench) - rangesBefore;
  const cpuMs = cpuPerChange(before, await contestant.cpuSeconds(), changes);
  return { cpuMs, changes, rangeRequests: ranges };
}

function changesFor(name: Name, { quick }: Bench): number {
  if (quick) return name === "reload" ? 2 : 10;
  return name === "reload" ? 6 : 40;
}
