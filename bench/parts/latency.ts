import { waitFor } from "../../tools/local/wait.ts";
import { type Bench, restUntil } from "../bench.ts";
import { Contestant } from "../contestant.ts";
import { Guest } from "../origins.ts";
import { atMost, digits, type Findings, type Name, NAMES, type Row, type Target } from "../report.ts";
import { hasUp } from "../sight.ts";
import { median, summarize } from "../stats.ts";
import { waitingScript, Wrk } from "../wrk.ts";

const FIXED_SERVERS = 3;
const EVERY_MS = 2_000;
/** 32 clients send about 1,000 requests a second: enough for exact times, few enough to leave CPU free. */
const CLIENT_WAIT_MS = 30;
/** Under this load a server that is silent for this long no longer gets requests. */
const SILENCE_MS = 450;
/** On a machine that is too slow for the pace there are fewer rounds. */
const MOST_MS = 120_000;
const GUEST = { service: "backend", id: "guest" };

/** Milliseconds since the put or the delete, one of each change. */
interface Times {
  readonly up: number[];
  readonly first: number[];
  readonly last: number[];
}

/** One change per 2 s in a small service under the load of 32 clients, in turn for each contestant. */
export async function measureLatency(bench: Bench): Promise<Findings> {
  const pairs = bench.quick ? 3 : 20;
  bench.say(`latency: ${pairs} additions and removals each, one change per 2 s, 32 clients`);
  // Clients are stopped when the rounds are done.
  const seconds = 2 * MOST_MS / 1_000;
  await using runners = new AsyncDisposableStack();
  const script = `${bench.dir}/wait.lua`;
  await Deno.writeTextFile(script, waitingScript(CLIENT_WAIT_MS));
  const lanes = [];
  for (const name of NAMES) {
    const contestant = runners.use(await Contestant.make(name, bench));
    await startSmall(contestant, bench);
    const guest = runners.use(new Guest());
    const wrk = runners.use(new Wrk({ url: contestant.node.url, seconds, script }));
    lanes.push({ contestant, guest, wrk, times: { up: [], first: [], last: [] } });
  }
  await playRounds(lanes, 2 * pairs, bench);
  for (const { contestant, times } of lanes) {
    bench.say(`  ${contestant.name}: up after ${digits(median(times.up))} ms (p50 of ${times.up.length})`);
    await contestant.stop();
  }
  return findings(new Map(lanes.map(({ contestant, times }) => [contestant.name, times])));
}

/** Starts a contestant with the fixed servers of the service `backend`. */
export async function startSmall(contestant: Contestant, { origins }: Bench): Promise<void> {
  const addresses = origins.addresses.slice(0, FIXED_SERVERS);
  await contestant.registry.fill(
    addresses.map((value, index) => ({ service: "backend", id: `fixed-${index}`, value })),
  );
  await contestant.start(addresses.length);
}

interface Lane {
  readonly contestant: Contestant;
  readonly guest: Guest;
  readonly times: Times;
}

async function playRounds(lanes: readonly Lane[], rounds: number, bench: Bench): Promise<void> {
  const startedAt = performance.now() + 1_000;
  for (let round = 0; round < rounds && performance.now() < startedAt + MOST_MS; round++) {
    for (const [index, lane] of lanes.entries()) {
      await restUntil(startedAt + round * EVERY_MS + index * EVERY_MS / lanes.length, bench);
      await (round % 2 === 0 ? addGuest(lane, bench) : removeGuest(lane, bench));
    }
  }
}

async function addGuest({ contestant, guest, times }: Lane, bench: Bench): Promise<void> {
  guest.forget();
  const startedAt = performance.now();
  const [up] = await Promise.all([
    contestant.untilServers("the guest", (seen) => hasUp(seen, "guest"), { backend: "backend" }),
    contestant.registry.put({ ...GUEST, value: guest.address }),
  ]);
  times.up.push(up - startedAt);
  const { signal } = bench;
  times.first.push(
    await waitFor(`an answer through ${contestant.name}`, () => guest.firstAt, { signal }) - startedAt,
  );
}

async function removeGuest({ contestant, guest, times }: Lane, bench: Bench): Promise<void> {
  const startedAt = performance.now();
  await contestant.registry.delete(GUEST);
  const lastAt = () => Math.max(startedAt, guest.lastAt);
  while (performance.now() < lastAt() + SILENCE_MS) await restUntil(lastAt() + SILENCE_MS, bench);
  times.last.push(lastAt() - startedAt);
}

function findings(times: ReadonlyMap<Name, Times>): Findings {
  const rowOf = (what: string, kind: keyof Times): Row => {
    const cell = (name: Name) => {
      const { p50, p95, max } = summarize(times.get(name)?.[kind] ?? []);
      return [p50, p95, max].map(digits).join("/");
    };
    return { what, auto: cell("auto"), reload: cell("reload"), floor: cell("floor") };
  };
  return {
    title: "one change under load, ms: p50 / p95 / max",
    rows: [
      rowOf("put -> server up", "up"),
      rowOf("put -> first response", "first"),
      rowOf("delete -> last response", "last"),
    ],
    targets: targets((name) => median(times.get(name)?.up ?? [])),
    numbers: Object.fromEntries(times),
  };
}

function targets(up: (name: Name) => number): Target[] {
  return [
    atMost("an addition is visible, times the floor (p50)", up("auto") / up("floor"), 2.5),
    atMost("an addition is visible, as a share of reload (p50)", up("auto") / up("reload"), 0.2),
  ];
}
