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

/**
 * Writes a text to a temporary file beside the target, with the target's mode or 0600.
 *
 * @throws {ControllerError} (operator) when it cannot be written
 */
export async function stageFile(target: string, text: string): Promise<StagedFile> {
  const path = join(dirname(target), `.${crypto.randomUUID()}${STAGED_SUFFIX}`);
  const orRemove = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      await removeQuietly(path);
      // The path is another one each time: a reason that changes would be reported again and again.
      throw cannot(what, target, error, messageOf(error).replaceAll(path, "its temporary file"));
    }
  };
  await orRemove("write", async () => {
    const mode = await Deno.stat(target).then(({ mode }) => (mode ?? 0o600) & 0o777, () => 0o600);
    await Deno.writeTextFile(path, text, { createNew: true, mode });
    await sync(path);
  });
  return {
    path,
    discard: () => removeQuietly(path),
    commit: () =>
      orRemove("replace", async () => {
        await Deno.rename(path, target);
        await sync(dirname(target));
      }),
  };
}

/** Stages a text and commits it. */
export async function replaceFile(target: string, text: string): Promise<void> {
  const staged = await stageFile(target, text);
  await staged.commit();
}

/** Removes staged files that a killed controller left in a directory. No other controller may use the directory. */
export async function sweepStaged(directory: string): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(directory)) {
      if (name.startsWith(".") && name.endsWith(STAGED_SUFFIX)) await removeQuietly(join(directory, name));
    }
  } catch {
    // The first write reports a directory that cannot be used.
  }
}

/** Whether a file of any kind has this path. */
export function isThere(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}

/** When a file was written last, in milliseconds of the wall clock; undefined when that is not known. */
export function modifiedAt(path: string): Promise<number | undefined> {
  return Deno.stat(path).then(({ mtime }) => mtime?.getTime(), () => undefined);
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

/** Waits until a file, or the names in a directory, are on disk: otherwise a crash of the machine could undo the change. */
async function sync(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true });
  await file.sync();
}

function removeQuietly(path: string): Promise<void> {
  return Deno.remove(path).catch(() => {});
}

function cannot(
  what: string,
  path: string,
  error: unknown,
  message: string = messageOf(error),
): ControllerError {
  // A file that is bind-mounted into a container cannot be replaced by a rename.
  const hint = /os error 16\b/.test(message)
    ? " (it is a mount point of its own: mount its directory instead)"
    : "";
  return new ControllerError("operator", `Cannot ${what} ${path}: ${message}${hint}`, { cause: error });
}
