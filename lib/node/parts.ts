import { aborted } from "../util/time.ts";

/** A part of a running node. */
export interface Part {
  readonly name: string;
  /**
   * Runs until the signal is aborted, and resolves when all that it started has ended. A part that rejects, or resolves
   * before the signal is aborted, has failed.
   */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Runs parts until the signal is aborted or one of them fails. Then it stops them one by one in reverse order, so that a
 * part can rely on the parts before it to the end.
 *
 * @throws the error of the first part that failed, when all have ended
 */
export async function runParts(parts: readonly Part[], signal: AbortSignal): Promise<void> {
  const failures: unknown[] = [];
  const failed = Promise.withResolvers<void>();
  /** Never rejects. */
  const run = async (part: Part, signal: AbortSignal) => {
    try {
      await part.run(signal);
      if (!signal.aborted) throw new Error(`Cannot continue: ${part.name} ended by itself`);
    } catch (error) {
      failures.push(error);
      failed.resolve();
    }
  };
  const running = parts.map((part) => {
    const stop = new AbortController();
    return { stop, ended: run(part, stop.signal) };
  });
  await Promise.race([aborted(signal), failed.promise]);
  for (const { stop, ended } of running.toReversed()) {
    stop.abort();
    await ended;
  }
  if (failures.length > 0) throw failures[0];
}

/** A part that only does something when it is stopped. */
export function atStop(name: string, stop: () => void | Promise<void>): Part {
  return {
    name,
    run: async (signal) => {
      await aborted(signal);
      await stop();
    },
  };
}
