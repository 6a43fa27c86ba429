import { duration } from "../local/terminal.ts";

/** What became of one scenario. Times in milliseconds; undefined: the scenario has no such moment. */
export type ChaosResult =
  | {
    readonly kind: "played";
    readonly name: string;
    readonly fault: string;
    readonly requests: number;
    readonly failed: number;
    /** Why requests may fail in this one. */
    readonly mayFail: string | undefined;
    readonly noticedMs: number | undefined;
    readonly rightMs: number | undefined;
  }
  | { readonly kind: "skipped"; readonly name: string; readonly fault: string; readonly reason: string }
  | { readonly kind: "broken"; readonly name: string; readonly fault: string; readonly reason: string };

const HEADS = ["scenario", "failed requests", "noticed after", "right again after"];

/** The results as a Markdown table. Below it: what each scenario breaks, and which were skipped. */
export function chaosTable(results: readonly ChaosResult[]): string {
  const shown = results.filter(({ kind }) => kind !== "skipped");
  const rows = shown.map(rowOf);
  const widths = HEADS.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  const faults = shown.map(faultLine);
  return [line(HEADS), rule, ...rows.map(line), "", "What breaks:", "", ...faults, ...skippedLines(results)]
    .join("\n");
}

/** What was later than it should be, in a line for each. */
export function lateLines(results: readonly ChaosResult[]): string[] {
  return results.filter((result) => result.kind === "played").flatMap((
    { name, noticedMs = 0, rightMs = 0 },
  ) => [
    ...(noticedMs > NOTICED_WITHIN_MS ? [`${name}: noticed after ${duration(noticedMs)}`] : []),
    ...(rightMs > RIGHT_WITHIN_MS ? [`${name}: right again after ${duration(rightMs)}`] : []),
  ]);
}

const NOTICED_WITHIN_MS = 3_000;
const RIGHT_WITHIN_MS = 5_000;

/** Puts the table between the two marks of a page. */
export function replaceTable(page: string, table: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot write the table: the page has no ${BEGIN} and ${END}`);
  }
  return `${page.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${page.slice(end)}`;
}

const BEGIN = "<!-- begin of the table -->";
const END = "<!-- end of the table -->";

function rowOf(result: ChaosResult): string[] {
  const name = `\`${result.name}\``;
  if (result.kind !== "played") return [name, "BROKEN", "", ""];
  const { requests, failed, noticedMs, rightMs } = result;
  return [name, `${failed} of ${requests.toLocaleString("en")}`, time(noticedMs), time(rightMs)];
}

function faultLine(result: ChaosResult): string {
  const why = result.kind === "played" && result.failed > 0 && result.mayFail !== undefined
    ? `; ${result.mayFail}`
    : "";
  return `- \`${result.name}\`: ${result.fault}${why}`;
}

function time(ms: number | undefined): string {
  return ms === undefined ? "-" : duration(ms);
}

function skippedLines(results: readonly ChaosResult[]): string[] {
  const skipped = results.filter((result) => result.kind === "skipped");
  if (skipped.length === 0) return [];
  return [
    "",
    "Skipped:",
    "",
    ...skipped.map(({ name, fault, reason }) => `- \`${name}\` (${fault}): ${reason}`),
  ];
}
