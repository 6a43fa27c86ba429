import { join } from "node:path";
import { ensureDir } from "@std/fs/ensure-dir";
import { ControllerError, messageOf } from "../../util/errors.ts";
import { createStateFiles, type StateFiles } from "./files.ts";

/** The places inside of `--state-dir`. */
export interface StateDir {
  readonly path: string;
  readonly masterSocket: string;
  readonly runtimeSocket: string;
  readonly stateFile: string;
  /** Holds the path of the configuration file which the running master was started with. */
  readonly startedWith: string;
  /** The last configuration that HAProxy was verified to run. */
  readonly lastGood: string;
  /** What the guard against mass disappearance remembers. */
  readonly guard: string;
  /** For how long workers that a reload retired may take requests from idle clients. */
  readonly idleLimit: string;
  /** What HAProxy says on standard error. */
  readonly output: string;
  /** Holds what tells this node from another one of the same id. */
  readonly instance: string;
}

/** The state directory, locked for this process. */
export interface OpenStateDir {
  readonly dir: StateDir;
  readonly files: StateFiles;
  /**
   * Makes again what somebody removed, all but HAProxy's sockets; returns the paths of what was missing.
   *
   * @throws {ControllerError} (operator) when it cannot be made, or another controller has made and locked it
   */
  restore(): Promise<readonly string[]>;
  release(): void;
}

/** HAProxy binds `<path>.<pid>.tmp` first, and a unix socket path may have 97 bytes by then. */
const MAX_PATH_BYTES = 70;

/** Names the places; touches nothing. */
export function stateDirAt(path: string): StateDir {
  return {
    path,
    masterSocket: join(path, "master.sock"),
    runtimeSocket: join(path, "haproxy.sock"),
    stateFile: join(path, "server-state"),
    startedWith: join(path, "started-with"),
    lastGood: join(path, "last-good.cfg"),
    guard: join(path, "guard.json"),
    idleLimit: join(path, "idle-limit"),
    output: join(path, "haproxy.stderr"),
    instance: join(path, "instance"),
  };
}

/**
 * Makes the directory (mode 0700) and locks it for this process, until the process ends.
 *
 * @throws {ControllerError} (operator) when it cannot be made, its path is too long, or another controller holds it
 */
export async function openStateDir(path: string): Promise<OpenStateDir> {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_PATH_BYTES) {
    const why = `its path has ${bytes} bytes, more than ${MAX_PATH_BYTES}, and would not fit a unix socket`;
    throw cannotUse(path, why);
  }
  let lock = await makeLocked(path);
  const dir = stateDirAt(path);
  const files = createStateFiles();
  // What an earlier run left would be missed as well. Whoever needs one that cannot be read says so.
  await Promise.allSettled(
    [dir.startedWith, dir.lastGood, dir.guard, dir.instance, dir.idleLimit].map(files.read),
  );
  return {
    dir,
    files,
    release: () => lock.close(),
    restore: async () => {
      if (await isAt(lock, lockIn(path))) {
        try {
          return await files.restore();
        } catch (error) {
          // It may have been removed just now: then it can be made again.
          if (await isAt(lock, lockIn(path))) throw error;
        }
      }
      const next = await makeLocked(path);
      lock.close();
      lock = next;
      return [lockIn(path), ...await files.restore()];
    },
  };
}

async function makeLocked(path: string): Promise<Deno.FsFile> {
  try {
    await ensureDir(path);
    await Deno.chmod(path, 0o700);
    return await lockFile(path);
  } catch (error) {
    if (error instanceof ControllerError) throw error;
    throw cannotUse(path, messageOf(error), error);
  }
}

async function lockFile(path: string): Promise<Deno.FsFile> {
  const file = await Deno.open(lockIn(path), { create: true, write: true, mode: 0o600 });
  if (await file.tryLock(true)) return file;
  file.close();
  throw cannotUse(path, "another controller holds its lock");
}

/** Whether an open file is still the one that has this path. */
async function isAt(file: Deno.FsFile, path: string): Promise<boolean> {
  try {
    const [open, there] = await Promise.all([file.stat(), Deno.lstat(path)]);
    return open.dev === there.dev && open.ino === there.ino;
  } catch {
    return false;
  }
}

function lockIn(path: string): string {
  return join(path, "lock");
}

function cannotUse(path: string, why: string, cause?: unknown): ControllerError {
  return new ControllerError("operator", `Cannot use state directory ${path}: ${why}`, { cause });
}
