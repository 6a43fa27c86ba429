import { createLineQueue } from "./line_queue.ts";
import { resolvesWithin, sleep } from "./time.ts";

const MAX_WAITING = 1024 * 1024;
const LAST_LINES_MS = 1_000;
const FULL_MS = 50;

/**
 * Makes a queue of lines to standard error. Its reader may be stuck: nothing waits for it.
 *
 * @param onLost called with the number of lost lines as soon as lines can be written again
 */
export function stderrLines(onLost: (lines: number) => void) {
  const { put, written } = createLineQueue({ write, maxLength: MAX_WAITING, onLost });
  return {
    put,
    /** Gives the lines a moment to be written; for the end of the program. */
    flush: async () => void await resolvesWithin(written(), LAST_LINES_MS),
  };
}

async function write(bytes: Uint8Array): Promise<number> {
  for (;;) {
    try {
      return await Deno.stderr.write(bytes);
    } catch (error) {
      // Another program with the same terminal or pipe may have made it non-blocking.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await sleep(FULL_MS);
    }
  }
}
