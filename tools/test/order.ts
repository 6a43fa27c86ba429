/**
 * Which files begin first, by the start of their path. Tests of one file run one after another, so a long file that
 * begins last keeps the run from its end. Files that no line names come after all others.
 */
const FIRST: readonly string[] = [
  "tests/scenarios/",
  "tests/integration/",
];

/** Puts test files into the order in which they should begin. */
export function inStartOrder(files: readonly string[]): string[] {
  return [...files].sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1));
}

function rank(file: string): number {
  const at = FIRST.findIndex((start) => file.replace(/^\.\//, "").startsWith(start));
  return at < 0 ? FIRST.length : at;
}
