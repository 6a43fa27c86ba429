import { resolvesWithin } from "./time.ts";

/** Wakes a loop that waits for its next turn. */
export interface Bell {
  ring(): void;
  /**
   * Waits for a ring, `ms` milliseconds at most (`Infinity`: for long), or until the signal is aborted. A ring since the
   * last wait counts, so none is missed while the loop works. Resolves to whether it rang.
   */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
}

/** A timer that is set to more fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Creates a bell for one loop. */
export function createBell(): Bell {
  let next = Promise.withResolvers<void>();
  return {
    ring: () => next.resolve(),
    wait: async (ms, signal) => {
      const rang = await resolvesWithin(next.promise, Math.min(ms, LONGEST_TIMER_MS), signal);
      next = Promise.withResolvers<void>();
      return rang;
    },
  };
}
