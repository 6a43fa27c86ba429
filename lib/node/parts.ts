/** A part of a running node. */
export interface Part {
  readonly name: string;
  /**
   * Works until the signal is aborted, and resolves when all that it started has ended. One that rejects, or resolves
   * before it is told to, has failed.
   */
  run(signal: AbortSignal): Promise<void>;
}

interface Running {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/**
 * Runs parts until the signal is aborted or the first of them fails. Then they are stopped one after the other, the last
 * one first, so that a part can rely on those before it to the end.
 *
 * @throws whatever the first part that failed threw, when all have ended
 */
export async function runParts(parts: readonly Part[], signal: AbortSignal): Promise<void> {
  const failures: unknown[] = [];
  const over = new AbortController();
  const running = parts.map((part) => start(part, over, failures));
  await Promise.race([aborted(signal), aborted(over.signal)]);
  for (const { stop, ended } of running.toReversed()) {
    stop.abort();
    await ended;
  }
  if (failures.length > 0) throw failures[0];
}

/** `ended` never rejects: what went wrong is among the failures, and ends all. */
function start(part: Part, over: AbortController, failures: unknown[]): Running {
  const stop = new AbortController();
  const run = async () => {
    try {
      await part.run(stop.signal);
      if (!stop.signal.aborted) failures.push(new Error(`Cannot go on: ${part.name} has ended by itself`));
    } catch (error) {
      failures.push(error);
    }
    if (failures.length > 0) over.abort();
  };
  return { stop, ended: run() };
}

/** A part that has nothing to do until it is stopped. */
export function atStop(name: string, stop: () => void | Promise<void>): Part {
  return {
    name,
    run: async (signal) => {
      await aborted(signal);
      await stop();
    },
  };
}

/**
 * Resolves when the signal is aborted. Not for one of `AbortSignal.any()`: where nothing else refers to that, it is
 * collected with its listener and never fires (seen on Deno 2.7.11).
 */
export function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
