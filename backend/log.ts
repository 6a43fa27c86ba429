import { stderrLines } from "../lib/util/stderr.ts";

const stderr = stderrLines((lines) => log(`${lines} lines lost`));

/** Writes one line to standard error, if there is one to write, and waits for nobody to read it. */
export function log(message: string | undefined): void {
  if (message !== undefined) stderr.put(`backend: ${message}\n`);
}

/** Gives the last lines a moment to be written; for the end of the program. */
export const flushLog = stderr.flush;
