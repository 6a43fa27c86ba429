/** Bounds of a back-off, in milliseconds. */
export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * The delay before another attempt: exponential from `minMs`, capped at `maxMs`, jittered down by up to a half, so that
 * many nodes that failed together do not return together.
 *
 * @param attempt how many attempts have failed so far, from 1
 * @param random a number in [0, 1)
 */
export function backoffDelay(options: BackoffOptions & { attempt: number; random: number }): number {
  const { attempt, minMs, maxMs, random } = options;
  const exponent = Math.max(0, Math.min(attempt - 1, 30));
  const full = Math.min(maxMs, minMs * 2 ** exponent);
  return Math.round(full * (1 - random / 2));
}
