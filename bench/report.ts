/** The contestants: the two ways of applying, and the bare minimum. */
export const NAMES = ["auto", "reload", "floor"] as const;
export type Name = typeof NAMES[number];

/** One line of the table. */
export interface Row {
  readonly what: string;
  readonly auto?: string;
  readonly reload?: string;
  readonly floor?: string;
}

/** A target, and what was measured. */
export interface Target {
  readonly what: string;
  readonly limit: string;
  readonly measured: string;
  readonly isReached: boolean;
}

/** The results of one part. `numbers` is everything it measured, for the JSON file. */
export interface Findings {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly targets: readonly Target[];
  readonly numbers: unknown;
}

/** A target that is a number and its upper bound. */
export function atMost(what: string, measured: number, limit: number, unit = ""): Target {
  return {
    what,
    limit: `<= ${digits(limit)}${unit}`,
    measured: `${digits(measured)}${unit}`,
    isReached: measured <= limit,
  };
}

/** A number with its significant digits. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (value === 0) return "0";
  return value < 10 ? value.toFixed(value < 1 ? 2 : 1) : Math.round(value).toLocaleString("en-US");
}
