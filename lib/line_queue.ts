/** Lines on their way to a reader who may be slow, stand still, or be gone: putting one never waits. */
export interface LineQueue {
  /** Takes a line with its newline. */
  put(line: string): void;
  /** Resolves when nothing waits any more; not before its reader reads. */
  written(): Promise<void>;
}

export interface LineQueueOptions {
  /** Takes some of the bytes, at least one, and says how many. */
  readonly write: (bytes: Uint8Array) => Promise<number>;
  /** How much may wait: of what comes then, nothing is kept before all that waits is written. One gap is told, not many. */
  readonly maxBytes: number;
  /** Told how many lines were lost, where they would have stood. */
  readonly onLost: (lines: number) => void;
}

export function createLineQueue({ write, maxBytes, onLost }: LineQueueOptions): LineQueue {
  const encoder = new TextEncoder();
  const waiting: Uint8Array[] = [];
  let bytes = 0;
  let full = false;
  let lost = 0;
  let writing: Promise<void> | undefined;

  const tellLost = () => {
    const lines = lost;
    lost = 0;
    onLost(lines);
  };
  const writeAll = async () => {
    for (let line = waiting[0]; line !== undefined; line = waiting[0]) {
      const done = await writeLine(write, line);
      waiting.shift();
      bytes -= line.length;
      if (!done) lost++;
      if (waiting.length > 0) continue;
      full = false;
      // While nothing can be written, telling it would only be the next line to be lost.
      if (done && lost > 0) tellLost();
    }
    writing = undefined;
  };

  return {
    put: (text) => {
      const line = encoder.encode(text);
      full ||= waiting.length > 0 && bytes + line.length > maxBytes;
      if (full) {
        lost++;
        return;
      }
      waiting.push(line);
      bytes += line.length;
      writing ??= writeAll();
    },
    written: () => writing ?? Promise.resolve(),
  };
}

/** Whether a line was written; it is not when its reader is gone, or the disk full. */
async function writeLine(write: LineQueueOptions["write"], line: Uint8Array): Promise<boolean> {
  try {
    for (let written = 0; written < line.length;) written += await write(line.subarray(written));
    return true;
  } catch {
    return false;
  }
}
