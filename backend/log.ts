import { inVariables } from "./options.ts";

/** Writes one line to standard error, if there is one to write. */
export function log(message: string | undefined): void {
  if (message !== undefined) console.error(`backend: ${inVariables(message)}`);
}
