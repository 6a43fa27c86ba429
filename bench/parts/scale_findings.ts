import { atMost, digits, type Findings, type Name, type Row, type Target } from "../report.ts";
import type { ScaleCell } from "./scale.ts";

const SMALL = 100;
const LARGE = 5_000;
const MOST_RESIDENT_MIB = 140;

/** The controller's memory when nothing has changed for a while. */
export interface Later {
  readonly seconds: number;
  readonly residentMib: number;
}

/** The table's lines and the targets about one change at many servers. */
export function scaleFindings(cells: readonly ScaleCell[], later: Later | undefined): Findings {
  const sizes = [...new Set(cells.map(({ servers }) => servers))].sort((a, b) => a - b);
  return {
    title: "one change at many servers, services of 100",
    rows: [...sizes.flatMap((servers) => sizeRows(cells, servers)), ...laterRows(later)],
    targets: [...costTargets(cells), ...memoryTargets(later), rangeTarget(cells)],
    numbers: { cells, later },
  };
}

function sizeRows(cells: readonly ScaleCell[], servers: number): Row[] {
  const row = (what: string, text: (cell: ScaleCell) => string): Row => {
    const found = cells.filter((cell) => cell.servers === servers);
    return { what, ...Object.fromEntries(found.map((cell) => [cell.name, text(cell)])) };
  };
  return [
    row(
      `${servers.toLocaleString("en-US")} servers: up / gone after, ms`,
      ({ addMs, removeMs }) => [addMs, removeMs].map(digits).join(" / "),
    ),
    row(
      "  CPU ms: controller / HAProxy / etcd",
      ({ cpuMs: { controller, haproxy, etcd } }) => [controller, haproxy, etcd].map(digits).join(" / "),
    ),
    row(
      "  MiB; range requests / changes",
      (cell) => `${digits(cell.residentMib)}; ${cell.rangeRequests} / ${cell.changes}`,
    ),
  ];
}

function laterRows(later: Later | undefined): Row[] {
  if (later === undefined) return [];
  const what = `5,000 servers, ${digits(later.seconds)} s after the last change, MiB`;
  return [{ what, auto: digits(later.residentMib) }];
}

function costTargets(cells: readonly ScaleCell[]): Target[] {
  const small = find(cells, "auto", SMALL);
  const large = find(cells, "auto", LARGE);
  if (small === undefined || large === undefined) return [];
  const ratio = (name: "controller" | "haproxy") => large.cpuMs[name] / small.cpuMs[name];
  return [
    atMost("controller CPU of a change at 5,000, times that at 100", ratio("controller"), 4),
    atMost("HAProxy CPU of a change at 5,000, times that at 100", ratio("haproxy"), 1.5),
  ];
}

function find(cells: readonly ScaleCell[], name: Name, servers: number): ScaleCell | undefined {
  return cells.find((cell) => cell.name === name && cell.servers === servers);
}

function memoryTargets(later: Later | undefined): Target[] {
  if (later === undefined) return [];
  return [
    atMost("controller resident at 5,000, a minute later", later.residentMib, MOST_RESIDENT_MIB, " MiB"),
  ];
}

/** A node compares its mirror's size with etcd's once a minute, which may come meanwhile. */
function rangeTarget(cells: readonly ScaleCell[]): Target {
  const ofAuto = cells.filter(({ name }) => name === "auto");
  const sum = (key: "changes" | "rangeRequests") => ofAuto.reduce((sum, cell) => sum + cell[key], 0);
  const perChange = Math.round(sum("rangeRequests") / sum("changes"));
  return {
    what: "range requests to etcd per change",
    limit: "0",
    measured: `${sum("rangeRequests")} in ${sum("changes")}`,
    isReached: perChange === 0 && ofAuto.every((cell) => cell.rangeRequests * 4 < cell.changes),
  };
}
