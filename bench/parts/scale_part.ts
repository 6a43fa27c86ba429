import { type Bench, restUntil } from "../bench.ts";
import type { Findings } from "../report.ts";
import { type Measured, measureSize, type ScaleCell } from "./scale.ts";
import { type Later, scaleFindings } from "./scale_findings.ts";

/** 5,000 first: its memory a minute later is read after the others. */
const SIZES = [5_000, 100, 1_000, 20_000];
const QUICK_SIZES = [5_000, 100];
const LATER = 5_000;

/** One change among many servers: time, CPU, memory, and requests to etcd. */
export async function measureScale(bench: Bench): Promise<Findings> {
  bench.say("scale: one change at many servers");
  const kept: Measured[] = [];
  await using runners = new AsyncDisposableStack();
  const keep = (measured: Measured) => {
    if (measured.cell.servers !== LATER || measured.cell.name !== "auto") return false;
    runners.use(measured.contestant);
    kept.push(measured);
    return true;
  };
  const cells: ScaleCell[] = [];
  for (const servers of bench.quick ? QUICK_SIZES : SIZES) {
    cells.push(...await measureSize(servers, bench, keep));
  }
  const [last] = kept;
  const later = last === undefined ? undefined : await lookLater(last, bench);
  await last?.contestant.stop();
  return scaleFindings(cells, later);
}

async function lookLater({ contestant, endedAt }: Measured, bench: Bench): Promise<Later> {
  await restUntil(endedAt + (bench.quick ? 10_000 : 60_000), bench);
  const seconds = Math.round((performance.now() - endedAt) / 1_000);
  return { seconds, residentMib: await contestant.residentMib() };
}
