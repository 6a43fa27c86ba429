import type { Findings, Row, Target } from "./report.ts";

const WHAT = 40;
const CELL = 20;

/** The table of all findings and of the targets, in lines of at most 100 columns. */
export function tableLines(findings: readonly Findings[]): string[] {
  return [
    row({ what: "", auto: "--apply auto", reload: "--apply reload", floor: "floor" }),
    ...findings.flatMap(({ title, rows }) => [rule(title), ...rows.map(row)]),
    rule("targets"),
    ...findings.flatMap(({ targets }) => targets.map(target)),
  ];
}

function row({ what, auto, reload, floor }: Row): string {
  const cells = [auto, reload, floor].map((cell) => (cell ?? "").padStart(CELL));
  return `${what.padEnd(WHAT)}${cells.join("")}`.trimEnd();
}

function target({ what, limit, measured, isReached }: Target): string {
  const cells = [limit, measured].map((cell) => cell.padStart(14));
  return `${what.padEnd(WHAT + 22)}${cells.join("")}  ${isReached ? "reached" : "MISSED"}`;
}

function rule(title: string): string {
  return `-- ${title} `.padEnd(WHAT + 3 * CELL, "-");
}
