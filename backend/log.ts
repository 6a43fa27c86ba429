/** Writes one line to standard error. */
export function log(message: string): void {
  console.error(`backend: ${message}`);
}
