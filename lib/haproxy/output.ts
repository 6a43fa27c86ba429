import { sleep } from "../util/time.ts";

/** Called with each line. `isNew`: HAProxy wrote it after the reading began. */
export type OnLine = (line: string, isNew: boolean) => void;

/** The file that HAProxy appends its messages to. One controller reads each line once. */
export interface Output {
  readonly path: string;
  /**
   * Reads lines until `signal` is aborted. The first time it begins with the last 64 KiB of the file, later where it
   * stopped. At the end it reads the rest, for 200 ms at most, and resolves. Rejects when the file cannot be read.
   *
   * @throws when the file cannot be opened or is not a regular file
   */
  follow(onLine: OnLine, options: { readonly create: boolean; readonly signal: AbortSignal }): Promise<void>;
}

const LOOK_MS = 1_000;
const END_MS = 200;
const CHUNK_BYTES = 16_384;
/** How long reading may block the controller in one go. */
const TURN_MS = 10;
/** The pause after that, in which the log is written. */
const PAUSE_MS = 30;
/** A file larger than this is emptied when all of it was read and nothing was written for a second. */
const BOUND_BYTES = 1 << 20;
/** A file larger than this is emptied as soon as all of it was read. */
const LIMIT_BYTES = 16 << 20;
/** How much is read of what HAProxy wrote before the controller started. */
const TAIL_BYTES = 64 << 10;
/** More than the log shows of a line. */
const MAX_LINE = 4_096;

/**
 * Creates the reader of one controller; nothing is opened yet. It needs little memory, whatever the file contains.
 *
 * @param onOld called when the file has text from before the controller's start: the bytes that are read and skipped
 */
export function createOutput(
  path: string,
  onOld: (bytes: { readonly read: number; readonly skipped: number }) => void = () => {},
): Output {
  let inode: number | null | undefined;
  let offset = 0;
  let newFrom = 0;
  let begun = "";
  const buffer = new Uint8Array(CHUNK_BYTES);
  let decoder = new TextDecoder();

  const begin = (file: Deno.FsFile) => {
    const { ino, size, isFile } = file.statSync();
    if (!isFile) throw new Error(`${path} is not a file`);
    if (inode === undefined) {
      offset = tailOf(file, size);
      if (offset < size) onOld({ read: size - offset, skipped: offset });
    } else if (inode !== ino) {
      // The rest of the old file's last line does not belong to the new one.
      [offset, begun, decoder] = [0, "", new TextDecoder()];
    }
    [inode, newFrom] = [ino, size];
  };
  const tell = (text: string, isNew: boolean, onLine: OnLine) => {
    const lines = (begun + text).split("\n");
    begun = lines.pop()?.slice(0, MAX_LINE) ?? "";
    for (const line of lines) if (line !== "") onLine(line.slice(0, MAX_LINE), isNew);
  };
  const readChunk = (file: Deno.FsFile, onLine: OnLine) => {
    const isNew = offset >= newFrom;
    file.seekSync(offset, Deno.SeekMode.Start);
    const length = file.readSync(buffer.subarray(0, isNew ? CHUNK_BYTES : newFrom - offset)) ?? 0;
    offset += length;
    tell(decoder.decode(buffer.subarray(0, length), { stream: true }), isNew, onLine);
  };
  /** Reads to the end, in small pieces: it may be very much. Tells whether there was nothing to read. */
  const read = async (file: Deno.FsFile, onLine: OnLine, goesOn: () => boolean): Promise<boolean> => {
    const isQuiet = file.statSync().size === offset;
    let turnEnds = performance.now() + TURN_MS;
    while (goesOn()) {
      const { size } = file.statSync();
      if (size === offset) break;
      // Another process has emptied the file: the rest of the last line is lost.
      if (size < offset) {
        tell("\n", offset > newFrom, onLine);
        [offset, newFrom] = [0, 0];
      }
      readChunk(file, onLine);
      if (performance.now() < turnEnds) continue;
      await sleep(PAUSE_MS);
      turnEnds = performance.now() + TURN_MS;
    }
    return isQuiet;
  };
  /** HAProxy appends, so it continues at the new end. */
  const emptyIfLarge = (file: Deno.FsFile, isQuiet: boolean) => {
    // A line written between these two calls is lost. They follow each other directly.
    if (offset <= (isQuiet ? BOUND_BYTES : LIMIT_BYTES) || file.statSync().size !== offset) return;
    file.truncateSync(0);
    [offset, newFrom] = [0, 0];
  };
  const followFile = async (file: Deno.FsFile, onLine: OnLine, signal: AbortSignal) => {
    using _ = file;
    while (!signal.aborted) {
      emptyIfLarge(file, await read(file, onLine, () => !signal.aborted));
      await sleep(LOOK_MS, signal);
    }
    const deadline = performance.now() + END_MS;
    await read(file, onLine, () => performance.now() < deadline);
    if (file.statSync().size === offset) tell("\n", offset > newFrom, onLine);
  };
  return {
    path,
    follow: (onLine, { create, signal }) => {
      const file = Deno.openSync(path, { read: true, write: true, create, mode: 0o600 });
      try {
        begin(file);
      } catch (error) {
        file.close();
        throw error;
      }
      return followFile(file, onLine, signal);
    },
  };
}

/** Where the lines of the last 64 KiB begin. */
function tailOf(file: Deno.FsFile, size: number): number {
  if (size <= TAIL_BYTES) return 0;
  const tail = new Uint8Array(TAIL_BYTES);
  file.seekSync(size - TAIL_BYTES, Deno.SeekMode.Start);
  file.readSync(tail);
  return size - TAIL_BYTES + tail.indexOf("\n".charCodeAt(0)) + 1;
}
