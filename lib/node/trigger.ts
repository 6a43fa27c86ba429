import { debounce } from "@std/async/debounce";

/** Coalesces any number of changes into one flag with two edges: the first change, and the quiet after the last. */
export interface Trigger {
  /** Something changed. */
  ring(): void;
  /** Asks for a pass that looks at template and HAProxy anew, instead of trusting what the last one knew. */
  resync(): void;
  /** Whether `resync()` was called since the last call. */
  takeResync(): boolean;
  /** Whether no change came within the quiet window, or changes have been coming for longer than the maximum wait. */
  quiet(): boolean;
  /** Resolves at the next edge; at once when one was missed. An edge that nobody needs is left out. */
  next(): Promise<void>;
  /** Asks for the edge of quiet even if no further change comes: a plan was put off until then. */
  wakeWhenQuiet(): void;
  /** Drops what is pending and its timers. */
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
  let waiter: (() => void) | undefined;
  let missed = false;
  let unseen = false;
  let quietWanted = false;
  let resyncWanted = false;
  let maxWait: ReturnType<typeof setTimeout> | undefined;

  const wake = () => {
    missed = true;
    waiter?.();
  };
  const settle = debounce(() => {
    clearTimeout(maxWait);
    maxWait = undefined;
    if (unseen || quietWanted) wake();
    quietWanted = false;
  }, debounceMs);

  const ring = () => {
    unseen = true;
    const isFirst = !settle.pending;
    settle();
    if (!isFirst) return;
    maxWait = setTimeout(() => settle.flush(), maxWaitMs);
    wake();
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
    next: async () => {
      if (!missed) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiter = resolve;
        await promise;
        waiter = undefined;
      }
      missed = false;
      unseen = false;
    },
    wakeWhenQuiet: () => {
      if (settle.pending) quietWanted = true;
      else wake();
    },
    stop: () => {
      clearTimeout(maxWait);
      settle.clear();
    },
  };
}
