/**
 * The state that prevented a compilation where the machine, not the program, is at fault, from what deno wrote; `undefined`
 * if it is something else.
 */
export function explainFailure(stderr: string): string | undefined {
  if (!/dl\.deno\.land/.test(stderr)) return undefined;
  return "its runtime cannot be fetched from dl.deno.land (DENORT_BIN can name a local one)";
}
