/** What processes held at one moment, by the name of the measure. */
export type Sample = Readonly<Record<Measure, number>>;

/** What is measured, and how its numbers are shown. */
export const MEASURES = [
  "controller memory (MiB)",
  "controller file descriptors",
  "controller processes",
  "HAProxy memory (MiB)",
  "HAProxy file descriptors",
  "HAProxy processes",
] as const;

export type Measure = typeof MEASURES[number];

/** One measure over the whole time. */
export interface Row {
  readonly measure: Measure;
  /** The median of the first and of the last third of the samples. */
  readonly first: number;
  readonly last: number;
  readonly ratio: number;
  readonly isSteady: boolean;
}

const MOST_GROWTH = 1.1;
/**
 * Counts are small: one more connection, probe or retired worker is over 10 % of some. A leak of one for each fault, or one
 * a minute, exceeds these bounds in ten minutes all the same. Memory has none.
 */
const ALLOWED: Readonly<Record<Measure, number>> = {
  "controller memory (MiB)": 0,
  "controller file descriptors": 4,
  "controller processes": 1,
  "HAProxy memory (MiB)": 0,
  "HAProxy file descriptors": 8,
  "HAProxy processes": 1,
};

/** Compares the first third of the samples with the last. Medians: one sample may see a reload or a check under way. */
export function judge(samples: readonly Sample[]): Row[] {
  const third = Math.floor(samples.length / 3);
  if (third === 0) throw new Error(`Cannot judge ${samples.length} samples: there are no thirds`);
  return MEASURES.map((measure) => {
    const values = samples.map((sample) => sample[measure]);
    const [first, last] = [median(values.slice(0, third)), median(values.slice(-third))];
    const isSteady = last <= first * MOST_GROWTH || last <= first + ALLOWED[measure];
    return { measure, first, last, ratio: first === 0 ? 1 : last / first, isSteady };
  });
}

/** The rows as a table in Markdown. */
export function verdictTable(rows: readonly Row[]): string {
  const cells = [
    ["measure", "first third", "last third", "ratio"],
    ...rows.map(({ measure, first, last, ratio, isSteady }) => [
      measure,
      first.toFixed(measure.includes("MiB") ? 1 : 0),
      last.toFixed(measure.includes("MiB") ? 1 : 0),
      `${ratio.toFixed(2)}${isSteady ? "" : " (grows)"}`,
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = cells;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? sorted[middle] ?? 0
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
