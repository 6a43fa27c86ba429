import { join } from "node:path";
import { ensureDir } from "@std/fs/ensure-dir";
import { ControllerError, messageOf } from "../../util/errors.ts";
import { createStateFiles, type StateFiles } from "./files.ts";

/** The paths inside of `--state-dir`. */
export type StateDir = Readonly<ReturnType<typeof stateDirAt>>;

/** The state directory, locked for this process. */
export interface OpenStateDir {
  readonly dir: StateDir;
  readonly files: StateFiles;
  /**
   * Recreates what was removed, except HAProxy's sockets; returns the paths of what was missing.
   *
   * @throws {ControllerError} (operator) when it cannot be created, or another controller has created and locked it
   */
  restore(): Promise<readonly string[]>;
  release(): void;
}

/** HAProxy first binds `<path>.<pid>.tmp`, and accepts 97 bytes for that. */
const MAX_PATH_BYTES = 70;

/** The paths for a directory; touches nothing. */
export function stateDirAt(path: string) {
  return {
    path,
    lock: join(path, "lock"),
    masterSocket: join(path, "master.sock"),
    runtimeSocket: join(path, "haproxy.sock"),
    stateFile: join(path, "server-state"),
    /** Contains the path of the configuration file that the running master was started with. */
    startedWith: join(path, "started-with"),
    /** The last configuration that HAProxy ran for certain. */
    lastGood: join(path, "last-good.cfg"),
    /** The record of the guard. */
    guard: join(path, "guard.json"),
    /** How long retired workers may get requests from idle clients. */
    idleLimit: join(path, "idle-limit"),
    /** HAProxy's stderr. */
    output: join(path, "haproxy.stderr"),
    /** Contains what distinguishes this node from another node with the same id. */
    instance: join(path, "instance"),
  };
}

/**
 * Creates the directory (mode 0700) and locks it until this process ends.
 *
 * @throws {ControllerError} (operator) when it cannot be created, its path is too long, or another controller uses it
 */
export async function openStateDir(path: string): Promise<OpenStateDir> {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_PATH_BYTES) {
    const why = `its path has ${bytes} bytes, more than ${MAX_PATH_BYTES}, and would not fit a unix socket`;
    throw cannotUse(path, why);
  }
  const dir = stateDirAt(path);
  let lock = await makeLocked(dir);
  const files = createStateFiles();
  // Files of an earlier run are restored too. An error is reported where a file is used.
  await Promise.allSettled(
    [dir.startedWith, dir.lastGood, dir.guard, dir.instance, dir.idleLimit].map(files.read),
  );
  return {
    dir,
    files,
    release: () => lock.close(),
    restore: async () => {
      if (await isAt(lock, dir.lock)) {
        try {
          return await files.restore();
        } catch (error) {
          // The directory may have been removed just now: then it is recreated below.
          if (await isAt(lock, dir.lock)) throw error;
        }
      }
      const next = await makeLocked(dir);
      lock.close();
      lock = next;
      return [dir.lock, ...await files.restore()];
    },
  };
}

async function makeLocked({ path, lock }: StateDir): Promise<Deno.FsFile> {
  try {
    await ensureDir(path);
    await Deno.chmod(path, 0o700);
    const file = await Deno.open(lock, { create: true, write: true, mode: 0o600 });
    if (await file.tryLock(true)) return file;
    file.close();
  } catch (error) {
    throw cannotUse(path, messageOf(error), error);
  }
  throw cannotUse(path, "another controller holds its lock");
}

/** Whether an open file is still the file at this path. */
async function isAt(file: Deno.FsFile, path: string): Promise<boolean> {
  try {
    const [open, there] = await Promise.all([file.stat(), Deno.lstat(path)]);
    return open.dev === there.dev && open.ino === there.ino;
  } catch {
    return false;
  }
}

function cannotUse(path: string, why: string, cause?: unknown): ControllerError {
  return new ControllerError("operator", `Cannot use state directory ${path}: ${why}`, { cause });
}
