/** Resolves after `ms` milliseconds, or as soon as the signal is aborted. Leaves no timer behind. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted) return Promise.resolve();
  const timer = setTimeout(resolve, ms);
  const stop = () => resolve();
  signal?.addEventListener("abort", stop, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  });
}

/**
 * Resolves when the signal is aborted. Do not pass a signal of `AbortSignal.any()`: when nothing else refers to it, it is
 * garbage-collected with its listener and never fires (seen on Deno 2.7.11).
 */
export function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}

/** Waits for a promise to resolve, for `ms` milliseconds at most or until the signal is aborted; returns whether it did. */
export async function resolvesWithin(
  promise: Promise<unknown>,
  ms: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const enough = new AbortController();
  const stop = signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]);
  const result = await Promise.race([promise.then(() => true), sleep(ms, stop).then(() => false)]);
  enough.abort();
  return result;
}

/** A time of 75 % to 125 % of the given one, so that many that began together do not stay together. */
export function jittered(ms: number, random = Math.random()): number {
  return ms * (0.75 + random / 2);
}

/** Calls again and again until the signal is aborted, each time after a pause of about `ms` milliseconds. */
export async function repeat(
  call: () => Promise<void>,
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    await sleep(jittered(ms), signal);
    if (signal.aborted) return;
    await call();
  }
}

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
 * Waits for a call within bounds. The call itself is not stopped, and what it does later is ignored.
 *
 * @throws whatever the call throws, the signal's reason, or a `TimeUpError`
 */
export async function within<T>(call: Promise<T>, { limitMs, signal }: Partial<CallBounds>): Promise<T> {
  const { promise: bound, reject } = Promise.withResolvers<never>();
  const timer = limitMs === undefined
    ? undefined
    : setTimeout(() => reject(new TimeUpError(limitMs)), limitMs);
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
