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

/**
 * Lines go together, or who puts many of them would be faster than any reader. A pipe takes so many bytes in one piece
 * (pipe(7), PIPE_BUF), also when others write to it: `register` shares it with its command.
 */
const BATCH_BYTES = 4_096;
const NEWLINE = "\n".charCodeAt(0);

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
    while (waiting.length > 0) {
      const batch = firstBatch(waiting);
      const rest = await writeBytes(write, batch.bytes);
      waiting.splice(0, batch.lines);
      bytes -= batch.bytes.length;
      lost += rest.filter((byte) => byte === NEWLINE).length;
      if (waiting.length > 0) continue;
      full = false;
      // While nothing can be written, telling it would only be the next line to be lost.
      if (rest.length === 0 && lost > 0) tellLost();
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

/** The first of the lines, as many as go together. */
function firstBatch(lines: readonly Uint8Array[]): { readonly bytes: Uint8Array; readonly lines: number } {
  let [length, count] = [0, 0];
  for (const line of lines) {
    if (count > 0 && length + line.length > BATCH_BYTES) break;
    length += line.length;
    count++;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const line of lines.slice(0, count)) {
    bytes.set(line, at);
    at += line.length;
  }
  return { bytes, lines: count };
}

/** Returns what was not written, because its reader is gone or the disk full. */
async function writeBytes(write: LineQueueOptions["write"], bytes: Uint8Array): Promise<Uint8Array> {
  let written = 0;
  try {
    while (written < bytes.length) written += await write(bytes.subarray(written));
  } catch {
    // What is left tells.
  }
  return bytes.subarray(written);
}
