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

/** Waits for a promise to resolve, for `ms` milliseconds at most; tells whether it did. */
export async function resolvesWithin(
  promise: Promise<unknown>,
  ms: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const enough = new AbortController();
  const stop = signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]);
  const resolved = promise.then(() => true);
  const result = await Promise.race([resolved, sleep(ms, stop).then(() => false)]);
  enough.abort();
  return result;
}
