/**
 * The kinds of error that the program understands. Any other error is a bug and ends the process.
 *
 * - `usage`: the command line or the environment is wrong. One line, exit code 2.
 * - `operator`: needs a person; trying again does not help before.
 * - `transient`: will pass; the caller tries again with back-off.
 */
export type ErrorKind = "usage" | "operator" | "transient";

/** An error with a kind, worded `Cannot <do> <what>: <state that prevents it>`. */
export class ControllerError extends Error {
  override readonly name = "ControllerError";

  constructor(readonly kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // Deno's advice to grant a permission is of no use to a compiled program.
  return text.replace(/\s*\n\s*/g, "; ").replace(/, run again with the --allow-\S+ flag$/, "").trim();
}
