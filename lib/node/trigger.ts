import { debounce } from "@std/async/debounce";
import { createBell } from "../util/bell.ts";

/** Coalesces any number of changes into one flag with two edges: the first change, and the quiet after the last. */
export interface Trigger {
  /** Something changed. */
  ring(): void;
  /** Asks for a pass that looks at template and HAProxy again, instead of trusting the last pass. */
  resync(): void;
  /** Whether `resync()` was called since the last call. */
  takeResync(): boolean;
  /** Whether no change came within the quiet window, or changes have been coming for longer than the maximum wait. */
  quiet(): boolean;
  /**
   * Waits for the next edge, for `ms` milliseconds at most, or until the signal is aborted. An edge since the last wait
   * counts. An edge without changes since then is left out.
   */
  next(ms: number, signal: AbortSignal): Promise<void>;
  /** Asks for the edge of quiet even without a further change, because a plan waits for it. */
  wakeWhenQuiet(): void;
  /** Drops pending edges and their timers. */
  stop(): void;
}

export interface TriggerOptions {
  /** Length of the quiet window. */
  readonly debounceMs: number;
  /** The quiet window ends after this time, even if changes keep coming. */
  readonly maxWaitMs: number;
}

/** Creates a trigger on the standard library's debounce, which has neither a first edge nor a maximum wait. */
export function createTrigger({ debounceMs, maxWaitMs }: TriggerOptions): Trigger {
  const bell = createBell();
  let unseen = false;
  let quietWanted = false;
  let resyncWanted = false;
  let maxWait: ReturnType<typeof setTimeout> | undefined;

  const settle = debounce(() => {
    clearTimeout(maxWait);
    maxWait = undefined;
    if (unseen || quietWanted) bell.ring();
    quietWanted = false;
  }, debounceMs);

  const ring = () => {
    unseen = true;
    const isFirst = !settle.pending;
    settle();
    if (!isFirst) return;
    maxWait = setTimeout(() => settle.flush(), maxWaitMs);
    bell.ring();
  };

  return {
    ring,
    resync: () => {
      resyncWanted = true;
      ring();
    },
    takeResync: () => {
      const wanted = resyncWanted;
      resyncWanted = false;
      return wanted;
    },
    quiet: () => !settle.pending,
    next: async (ms, signal) => {
      await bell.wait(ms, signal);
      unseen = false;
    },
    wakeWhenQuiet: () => {
      if (settle.pending) quietWanted = true;
      else bell.ring();
    },
    stop: () => {
      clearTimeout(maxWait);
      settle.clear();
    },
  };
}
