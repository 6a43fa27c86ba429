/** Remembers over the end of a process how far a file was read. */
export interface ReadMark {
  /** Where to read on in a file of this inode and size: not what was read before, and nothing of an unknown file. */
  start(file: { readonly ino: number | null; readonly size: number }): number;
  set(ino: number | null, offset: number): void;
  close(): void;
}

const LENGTH = 48;

/**
 * Opens the mark in a file of its own, which is made if need be.
 *
 * @throws when it can be neither opened nor made
 */
export function openReadMark(path: string): ReadMark {
  const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
  const text = new TextDecoder().decode(readStart(file));
  let written = text.trim();
  const [ino, offset] = written.split(" ").map(Number);
  return {
    start: (found) => {
      if (offset === undefined || ino !== found.ino) return found.size;
      // It was cut off after it was read; what it has now is new.
      return offset <= found.size ? offset : 0;
    },
    set: (ino, offset) => {
      const next = `${ino} ${offset}`;
      if (next === written) return;
      try {
        file.seekSync(0, Deno.SeekMode.Start);
        // One length, so that one call replaces all of it.
        file.writeSync(new TextEncoder().encode(next.padEnd(LENGTH)));
        written = next;
      } catch {
        // The disk is full. The next process tells some lines again.
      }
    },
    close: () => file.close(),
  };
}

function readStart(file: Deno.FsFile): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  return bytes.subarray(0, file.readSync(bytes) ?? 0);
}
