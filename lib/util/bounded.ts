/** Bounds of a call: it rejects when `limitMs` have passed or `signal` is aborted. */
export interface CallBounds {
  readonly limitMs: number;
  readonly signal?: AbortSignal;
}

/** A call had no answer within its time limit. */
export class TimeUpError extends Error {
  constructor(limitMs: number) {
    super(`No answer within ${limitMs} ms`);
  }
}

/**
 * Waits for a call within bounds. The call itself is not ended; what it does afterwards is nobody's concern.
 *
 * @throws whatever the call throws, the signal's reason, or a `TimeUpError`
 */
export async function bounded<T>(call: Promise<T>, { limitMs, signal }: CallBounds): Promise<T> {
  const { promise: bound, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimeUpError(limitMs)), limitMs);
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  try {
    return await Promise.race([bound, call]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
