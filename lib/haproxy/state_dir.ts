import { join } from "node:path";
import { ensureDir } from "@std/fs/ensure-dir";
import { ControllerError, messageOf } from "../errors.ts";

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
  /** Holds what tells this node from another one of the same id. */
  readonly instance: string;
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
    instance: join(path, "instance"),
  };
}

/**
 * Makes the directory (mode 0700) and locks it for this process, until the process ends.
 *
 * @throws {ControllerError} (operator) when it cannot be made, its path is too long, or another controller holds it
 */
export async function openStateDir(path: string): Promise<{ dir: StateDir; release(): void }> {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_PATH_BYTES) {
    const why = `its path has ${bytes} bytes, more than ${MAX_PATH_BYTES}, and would not fit a unix socket`;
    throw new ControllerError("operator", `Cannot use state directory ${path}: ${why}`);
  }
  try {
    await ensureDir(path);
    await Deno.chmod(path, 0o700);
    return { dir: stateDirAt(path), release: await lock(path) };
  } catch (error) {
    if (error instanceof ControllerError) throw error;
    throw new ControllerError("operator", `Cannot use state directory ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function lock(path: string): Promise<() => void> {
  const file = await Deno.open(join(path, "lock"), { create: true, write: true, mode: 0o600 });
  if (await file.tryLock(true)) return () => file.close();
  file.close();
  throw new ControllerError(
    "operator",
    `Cannot use state directory ${path}: another controller holds its lock`,
  );
}
