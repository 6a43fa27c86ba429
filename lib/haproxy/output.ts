import { sleep } from "../util/time.ts";
import { createLineHeads } from "./line_heads.ts";
import { openReadMark, type ReadMark } from "./read_mark.ts";

/** Told each line, and whether it was written after `begin()`. */
export type OnLine = (line: string, at: { readonly isNew: boolean }) => void;

/** A file that HAProxy appends its messages to, followed by one process at a time. */
export interface Output {
  /** What is written from here on is new. */
  begin(): void;
  /**
   * Tells each line that no process has told yet, and each that comes. When `signal` is aborted it tells what is there, for
   * 200 ms at most, and closes the file; what is left is for whoever opens it next. Rejects when it cannot be read.
   */
  follow(onLine: OnLine, signal: AbortSignal): Promise<void>;
  /** For one that nobody follows. */
  close(): void;
}

const LOOK_MS = 1_000;
const END_MS = 200;
const CHUNK_BYTES = 16_384;
/** How long reading may keep the controller from everything else. */
const TURN_MS = 10;
/** What was read in a turn is written to the log meanwhile, which takes longer. */
const PAUSE_MS = 30;
/** A file that was read is emptied when it is larger than this and nothing was written for a second. */
const BOUND_BYTES = 1 << 20;
/** Larger than this it is emptied at the first moment at which all of it was read. */
const LIMIT_BYTES = 16 << 20;

/**
 * Opens the file that HAProxy writes to; a file beside it holds how far it was read.
 *
 * @throws when one of them cannot be opened, or is no regular file
 */
export function openOutput(path: string, { create }: { readonly create: boolean }): Output {
  const file = Deno.openSync(path, { read: true, write: true, create, mode: 0o600 });
  try {
    if (!file.statSync().isFile) throw new Error(`${path} is not a file`);
    return outputOf(file, openReadMark(`${path}.read`));
  } catch (error) {
    file.close();
    throw error;
  }
}

function outputOf(file: Deno.FsFile, mark: ReadMark): Output {
  const reader = createReader(file, mark);
  const close = () => {
    file.close();
    mark.close();
  };
  const follow: Output["follow"] = async (onLine, signal) => {
    try {
      while (!signal.aborted) {
        const isQuiet = await reader.read(onLine, () => !signal.aborted);
        reader.emptyIfLarge(isQuiet);
        await sleep(LOOK_MS, signal);
      }
      const deadline = performance.now() + END_MS;
      await reader.read(onLine, () => performance.now() < deadline);
      reader.end(onLine);
    } finally {
      close();
    }
  };
  return { begin: reader.begin, follow, close };
}

function createReader(file: Deno.FsFile, mark: ReadMark) {
  const { ino, size: firstSize } = file.statSync();
  const heads = createLineHeads();
  const buffer = new Uint8Array(CHUNK_BYTES);
  let offset = mark.start({ ino, size: firstSize });
  let newFrom = 0;
  // What is written from here on is for the next process, if this one does not live to read it.
  mark.set(ino, offset);

  const sizeNow = () => file.statSync().size;
  /** Tells whether there was something. */
  const readChunk = (onLine: OnLine): boolean => {
    const isNew = offset >= newFrom;
    file.seekSync(offset, Deno.SeekMode.Start);
    const bytes = buffer.subarray(0, isNew ? CHUNK_BYTES : newFrom - offset);
    const length = file.readSync(bytes) ?? 0;
    offset += length;
    for (const line of heads.push(bytes.subarray(0, length))) onLine(line, { isNew });
    // A line that has not ended is for the next process to read, if this one does not live to see its end.
    mark.set(ino, Math.max(0, offset - heads.begun()));
    return length > 0;
  };
  /** Tells a line whose end will not come. */
  const tellBegun = (onLine: OnLine) => {
    for (const line of heads.end()) onLine(line, { isNew: offset > newFrom });
  };
  const restart = () => {
    [offset, newFrom] = [0, 0];
    mark.set(ino, 0);
  };
  return {
    begin: () => newFrom = sizeNow(),
    /**
     * Reads what is there now, a little at a time: after a frozen or dead controller it may be very much. Tells whether
     * there was nothing.
     */
    read: async (onLine: OnLine, goesOn: () => boolean): Promise<boolean> => {
      const size = sizeNow();
      // Somebody else has emptied it.
      if (size < offset) {
        tellBegun(onLine);
        restart();
      }
      const isQuiet = size === offset;
      let turnEnds = performance.now() + TURN_MS;
      while (offset < size && goesOn()) {
        // Somebody empties it meanwhile.
        if (!readChunk(onLine)) break;
        if (performance.now() < turnEnds) continue;
        await sleep(PAUSE_MS);
        turnEnds = performance.now() + TURN_MS;
      }
      return isQuiet;
    },
    /** HAProxy appends, so it goes on at the new end. */
    emptyIfLarge: (isQuiet: boolean) => {
      const isDue = (isQuiet && heads.begun() === 0 && offset > BOUND_BYTES) || offset > LIMIT_BYTES;
      // What is written between these two calls is lost; nothing else of this process happens there.
      if (!isDue || sizeNow() !== offset) return;
      file.truncateSync(0);
      restart();
    },
    /** Tells the last line, whose writer ended before it did. */
    end: (onLine: OnLine) => {
      if (offset !== sizeNow()) return;
      tellBegun(onLine);
      mark.set(ino, offset);
    },
  };
}
