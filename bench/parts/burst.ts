import { ask } from "../../lib/haproxy/socket.ts";
import { parseProcesses } from "../../lib/haproxy/wire/reply.ts";
import { waitFor } from "../../tools/local/wait.ts";
import { type Bench, rest } from "../bench.ts";
import { Contestant } from "../contestant.ts";
import { manyServers, serviceName } from "../registry.ts";
import { atMost, digits, type Findings, type Name } from "../report.ts";
import { median } from "../stats.ts";

const SERVERS = 5_000;
const PER_SERVICE = 100;
const RELOADS = 3;
const GRACE_MS = 300;
const ALL_EVERY_MS = 20;

/** Milliseconds of one burst. */
interface Burst {
  readonly name: Name;
  readonly putMs: number;
  readonly liveMs: number;
  readonly bareReloadMs: number;
}

/** 5,000 registrations at once into an empty registry, compared with one bare reload of the resulting file. */
export async function measureBurst(bench: Bench): Promise<Findings> {
  bench.say(`burst: ${SERVERS} registrations at once`);
  const bursts: Burst[] = [];
  for (let round = 0; round < (bench.quick ? 1 : 3); round++) {
    for (const name of ["auto", "reload"] as const) bursts.push(await oneBurst(name, bench));
  }
  return findings(bursts);
}

async function oneBurst(name: Name, bench: Bench): Promise<Burst> {
  await using contestant = await Contestant.make(name, bench);
  await contestant.start(0);
  await rest(1_000, bench);
  const startedAt = performance.now();
  const [liveAt, putAt] = await Promise.all([
    untilLive(contestant),
    contestant.registry.putEach(manyServers(SERVERS, bench.origins.addresses)).then(() => performance.now()),
  ]);
  await rest(1_500, bench);
  const bareReloadMs = await bareReload(contestant);
  await contestant.stop();
  const burst = { name, putMs: putAt - startedAt, liveMs: liveAt - startedAt, bareReloadMs };
  bench.say(`  ${name}: ${[burst.putMs, burst.liveMs, bareReloadMs].map(digits).join(" / ")} ms`);
  return burst;
}

/** Looks only at the last service, until it is complete: to look at all of them costs HAProxy much. */
async function untilLive(contestant: Contestant): Promise<number> {
  const backend = serviceName(SERVERS / PER_SERVICE - 1);
  await contestant.untilServers("the last service", (seen) => seen.length === PER_SERVICE, {
    backend,
    everyMs: ALL_EVERY_MS / 4,
  });
  return await contestant.untilServers(
    `${SERVERS} servers up`,
    (seen) => seen.filter(({ isUp }) => isUp).length === SERVERS,
    { everyMs: ALL_EVERY_MS },
  );
}

/** A reload without a controller, which is frozen meanwhile: command -> the new worker answers. */
async function bareReload({ node, controller }: Contestant): Promise<number> {
  controller.freeze();
  try {
    const times: number[] = [];
    for (let count = 0; count < RELOADS; count++) times.push(await timeReload(node));
    return median(times);
  } finally {
    controller.resume();
  }
}

async function timeReload({ masterSocket, runtimeSocket }: Contestant["node"]): Promise<number> {
  const processes = async () => parseProcesses(await ask(masterSocket, "show proc;quit"));
  const before = (await processes())?.reloads ?? NaN;
  const startedAt = performance.now();
  await ask(masterSocket, "reload").catch(() => {});
  await waitFor("the new worker", async () => {
    const now = await processes();
    const pid = now?.workers[0]?.pid;
    if (now === undefined || pid === undefined || now.reloads === before) return false;
    return (await ask(runtimeSocket, "show info")).includes(`\nPid: ${pid}\n`);
  }, { everyMs: 2 });
  return performance.now() - startedAt;
}

function findings(bursts: readonly Burst[]): Findings {
  const of = (name: Name, key: "putMs" | "liveMs" | "bareReloadMs") =>
    median(bursts.filter((burst) => burst.name === name).map((burst) => burst[key]));
  const row = (what: string, key: "putMs" | "liveMs" | "bareReloadMs") => ({
    what,
    auto: digits(of("auto", key)),
    reload: digits(of("reload", key)),
  });
  const limit = of("auto", "putMs") + 1.2 * of("auto", "bareReloadMs") + GRACE_MS;
  return {
    title: "5,000 registrations at once, ms",
    rows: [
      row("all puts done", "putMs"),
      row("all servers up", "liveMs"),
      row("one bare reload of the same file", "bareReloadMs"),
    ],
    targets: [atMost("5,000 at once: puts + 1.2 bare reloads + 300 ms", of("auto", "liveMs"), limit, " ms")],
    numbers: bursts,
  };
}
