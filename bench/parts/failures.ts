import { type Bench, rest, restUntil } from "../bench.ts";
import { Contestant } from "../contestant.ts";
import { digits, type Findings, type Row } from "../report.ts";
import { Wrk, type WrkCounts } from "../wrk.ts";
import { startSmall } from "./latency.ts";

const FULL = { changes: 100, seconds: 20 };
const QUICK = { changes: 20, seconds: 4 };
/** With fewer requests a cell means nothing. */
const REQUESTS_PER_SECOND = 5_000;
const GUEST = { service: "backend", id: "guest" };

interface Cell extends WrkCounts {
  readonly name: "auto" | "reload";
  readonly load: string;
  readonly isVoid: boolean;
  /** How many changes were applied one by one; the others were overtaken by the next change. */
  readonly applied: number;
}

const LOADS = [{ load: "keep-alive", closes: false }, { load: "a connection per request", closes: true }];

/** Requests that fail while a server comes and goes, under as much load as the machine takes. */
export async function measureFailures(bench: Bench): Promise<Findings> {
  const { changes, seconds } = bench.quick ? QUICK : FULL;
  bench.say(`failures: ${changes} changes in ${seconds} s, by kind of load and contestant`);
  const cells: Cell[] = [];
  for (const { load, closes } of LOADS) {
    for (const name of ["auto", "reload"] as const) {
      const { applied, ...counts } = await measureCell(name, closes, bench);
      const cell = {
        name,
        load,
        applied,
        ...counts,
        isVoid: counts.requests < seconds * REQUESTS_PER_SECOND,
      };
      bench.say(`  ${name}, ${load}: ${cellText(cell)}`);
      cells.push(cell);
    }
  }
  return findings(cells);
}

async function measureCell(name: "auto" | "reload", closes: boolean, bench: Bench) {
  const { changes, seconds } = bench.quick ? QUICK : FULL;
  await using contestant = await Contestant.make(name, bench);
  await startSmall(contestant, bench);
  const before = await appliedChanges(contestant);
  await using wrk = new Wrk({ url: contestant.node.url, seconds: seconds + 2, closes });
  await rest(500, bench);
  await changeOften(contestant, { changes, everyMs: seconds * 1_000 / changes }, bench);
  const counts = await wrk.counts(bench.signal);
  const applied = await appliedChanges(contestant) - before;
  await contestant.stop();
  return { ...counts, applied };
}

async function changeOften(
  { registry }: Contestant,
  { changes, everyMs }: { changes: number; everyMs: number },
  bench: Bench,
): Promise<void> {
  const startedAt = performance.now();
  for (let change = 0; change < changes; change++) {
    await restUntil(startedAt + change * everyMs, bench);
    if (change % 2 === 0) await registry.put({ ...GUEST, value: bench.origins.addresses.at(-1) ?? "" });
    else await registry.delete(GUEST);
  }
}

async function appliedChanges({ name, node }: Contestant): Promise<number> {
  return await node.metric(`plans_total{kind="${name === "reload" ? "reload" : "runtime"}"}`);
}

function cellText({ failed, requests, isVoid }: Cell): string {
  return isVoid
    ? `void: ${digits(failed)} of ${digits(requests)}`
    : `${digits(failed)} of ${digits(requests)}`;
}

function findings(cells: readonly Cell[]): Findings {
  const rowOf = (what: string, load: string, text: (cell: Cell) => string): Row => {
    const find = (name: string) => cells.find((cell) => cell.name === name && cell.load === load);
    const [auto, reload] = [find("auto"), find("reload")];
    return { what, ...(auto && { auto: text(auto) }), ...(reload && { reload: text(reload) }) };
  };
  const failed = cells.reduce((sum, cell) => sum + cell.failed, 0);
  const voids = cells.filter(({ isVoid }) => isVoid).length;
  return {
    title: "failed requests while a server comes and goes, 5 changes/s",
    rows: LOADS.flatMap(({ load }) => [
      rowOf(`${load}: failed of all`, load, cellText),
      rowOf("  plans that changed HAProxy", load, ({ applied }) => String(applied)),
    ]),
    targets: [{
      what: "failed requests, in all cells",
      limit: "0",
      measured: voids > 0 ? `${failed}, ${voids} void` : String(failed),
      isReached: failed === 0 && voids === 0,
    }],
    numbers: cells,
  };
}
