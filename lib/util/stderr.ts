import { createLineQueue, type LineQueue } from "./line_queue.ts";
import { resolvesWithin, sleep } from "./time.ts";

const MAX_WAITING_BYTES = 1024 * 1024;
const LAST_LINES_MS = 1_000;
const FULL_MS = 50;

/** Lines on their way to standard error. Whoever reads them may stand still: nothing waits for it. */
export interface StderrLines {
  put: LineQueue["put"];
  /** Gives what was put a moment to be written; for the end of the program. */
  flush(): Promise<void>;
}

/** @param onLost told how many lines were lost, as soon as lines can be written again */
export function stderrLines(onLost: (lines: number) => void): StderrLines {
  const { put, written } = createLineQueue({ write, maxBytes: MAX_WAITING_BYTES, onLost });
  return {
    put,
    flush: async () => {
      await resolvesWithin(written(), LAST_LINES_MS);
    },
  };
}

async function write(bytes: Uint8Array): Promise<number> {
  for (;;) {
    try {
      return await Deno.stderr.write(bytes);
    } catch (error) {
      // Another program that has the same terminal or pipe may have made it one that does not wait.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await sleep(FULL_MS);
    }
  }
}
