import { dirname, join } from "node:path";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { StagedFile } from "../reconcile/ports.ts";

const STAGED_SUFFIX = ".etcd-haproxy.tmp";

/** The text of a file; undefined when there is none. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw cannot("read", path, error);
  }
}

/** Reads a file again only when it is another one, or was changed. */
export function createFileReader(path: string): () => Promise<string | undefined> {
  let known: { stamp: string; text: string } | undefined;
  return async () => {
    const stamp = await stampOf(path);
    if (stamp !== undefined && known?.stamp === stamp) return known.text;
    const text = await readText(path);
    known = stamp === undefined || text === undefined ? undefined : { stamp, text };
    return text;
  };
}

async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { ino, size, mtime } = await Deno.stat(path);
    return `${ino} ${size} ${mtime?.getTime()}`;
  } catch {
    return undefined;
  }
}

/**
 * Writes a text beside the target, with the target's mode or 0600.
 *
 * @throws {ControllerError} (operator) when it cannot be written
 */
export async function stageFile(target: string, text: string): Promise<StagedFile> {
  const path = join(dirname(target), `.${crypto.randomUUID()}${STAGED_SUFFIX}`);
  try {
    await writeSynced(path, text, await modeOf(target));
  } catch (error) {
    await removeQuietly(path);
    throw cannot("write", target, error);
  }
  return {
    path,
    discard: () => removeQuietly(path),
    commit: async () => {
      try {
        await Deno.rename(path, target);
        await syncDirectory(dirname(target));
      } catch (error) {
        await removeQuietly(path);
        throw cannot("replace", target, error);
      }
    },
  };
}

/** Stages and commits in one go. */
export async function replaceFile(target: string, text: string): Promise<void> {
  const staged = await stageFile(target, text);
  await staged.commit();
}

/** Removes what a controller that was killed left staged in a directory. No other controller may be at work there. */
export async function sweepStaged(directory: string): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(directory)) {
      if (name.startsWith(".") && name.endsWith(STAGED_SUFFIX)) await removeQuietly(join(directory, name));
    }
  } catch {
    // A directory that cannot be read cannot be written either, which the first write says.
  }
}

/** Whether a file of any kind has this path. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

/** Removes a file if it is there. */
export async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    const isGone = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
    if (!isGone) throw cannot("remove", path, error);
  }
}

async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  const file = await Deno.open(path, { write: true, createNew: true, mode });
  try {
    const bytes = encoded(text);
    for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
    await file.sync();
  } finally {
    file.close();
  }
}

let lastEncoded: { text: string; bytes: Uint8Array } | undefined;

/** The same large text goes to two files in a row. */
function encoded(text: string): Uint8Array {
  if (lastEncoded?.text !== text) lastEncoded = { text, bytes: new TextEncoder().encode(text) };
  return lastEncoded.bytes;
}

async function modeOf(target: string): Promise<number> {
  try {
    const { mode } = await Deno.stat(target);
    return (mode ?? 0o600) & 0o777;
  } catch {
    return 0o600;
  }
}

/** Without it a crash of the machine could bring the old name back. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await Deno.open(path, { read: true });
  try {
    await directory.sync();
  } finally {
    directory.close();
  }
}

async function removeQuietly(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch {
    // It was not there.
  }
}

function cannot(what: string, path: string, error: unknown): ControllerError {
  const message = messageOf(error);
  // A single file that is bind-mounted into a container cannot be renamed over.
  const hint = /os error 16\b/.test(message)
    ? " (it is a mount point of its own: mount its directory instead)"
    : "";
  return new ControllerError("operator", `Cannot ${what} ${path}: ${message}${hint}`, { cause: error });
}
