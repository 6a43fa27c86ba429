/** Lines on their way to a reader that may be slow, stuck or gone: to put one never waits. */
export interface LineQueue {
  /** Takes a line with its newline. */
  put(line: string): void;
  /** Resolves when no line waits any more; not before the reader reads. */
  written(): Promise<void>;
}

export interface LineQueueOptions {
  /** Takes some of the bytes, at least one, and returns how many. */
  readonly write: (bytes: Uint8Array) => Promise<number>;
  /** How many characters may wait. Lines beyond are lost until all that wait are written, so there is one gap, not many. */
  readonly maxLength: number;
  /** Called with the number of lost lines, at the place where they are missing. */
  readonly onLost: (lines: number) => void;
}

/**
 * Lines are written together, because a program that writes many would be faster than any reader. A pipe takes so many
 * bytes in one piece (pipe(7), PIPE_BUF), also when others write to it: `register` shares it with its command.
 */
const BATCH_LENGTH = 4_096;
const NEWLINE = "\n".charCodeAt(0);

/** Creates a queue of lines in ASCII. */
export function createLineQueue({ write, maxLength, onLost }: LineQueueOptions): LineQueue {
  const encoder = new TextEncoder();
  let waiting = "";
  let full = false;
  let lost = 0;
  let writing: Promise<void> | undefined;

  const writeAll = async () => {
    while (waiting !== "") {
      const batch = firstBatch(waiting);
      const rest = await writeBytes(write, encoder.encode(batch));
      waiting = waiting.slice(batch.length);
      lost += rest.filter((byte) => byte === NEWLINE).length;
      if (waiting !== "") continue;
      full = false;
      // While nothing can be written, a line about it would only be lost as well.
      if (rest.length > 0 || lost === 0) continue;
      const lines = lost;
      lost = 0;
      onLost(lines);
    }
    writing = undefined;
  };

  return {
    put: (line) => {
      full ||= waiting !== "" && waiting.length + line.length > maxLength;
      if (full) {
        lost++;
        return;
      }
      waiting += line;
      writing ??= writeAll();
    },
    written: () => writing ?? Promise.resolve(),
  };
}

/** The first lines, as many as fit into one batch, and at least one. */
function firstBatch(lines: string): string {
  const last = lines.lastIndexOf("\n", BATCH_LENGTH - 1);
  const end = last < 0 ? lines.indexOf("\n") : last;
  return end < 0 ? lines : lines.slice(0, end + 1);
}

/** Returns what was not written, because the reader is gone or the disk is full. */
async function writeBytes(write: LineQueueOptions["write"], bytes: Uint8Array): Promise<Uint8Array> {
  let written = 0;
  try {
    while (written < bytes.length) written += await write(bytes.subarray(written));
  } catch {
    // The rest is lost.
  }
  return bytes.subarray(written);
}
