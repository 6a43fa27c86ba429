import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { ControllerError, messageOf } from "../util/errors.ts";
import { haproxyEnvironment } from "./check.ts";

/** A process that was started. */
export interface Spawned {
  readonly pid: number;
  /** Resolves with its end in words, such as `exit code 1`; never rejects. */
  readonly ended: Promise<string>;
}

/** What a master is started with. */
export interface SpawnOptions {
  readonly haproxy: string;
  readonly configPath: string;
  readonly masterSocket: string;
}

/**
 * Starts HAProxy in master-worker mode, in its own session. Its stderr goes to the file `output`, because a full pipe would
 * block it. `Deno.Command` cannot write to a file, so Node's `spawn` is used.
 *
 * @throws {ControllerError} (operator) when it cannot be run
 */
export async function spawnMaster(
  { haproxy, configPath, masterSocket }: SpawnOptions,
  output: string | undefined,
): Promise<Spawned> {
  let stderr: number | undefined;
  try {
    stderr = output === undefined ? undefined : openSync(output, "a", 0o600);
    const child = spawn(haproxy, ["-W", "-db", "-S", `${masterSocket},mode,600`, "-f", configPath], {
      env: haproxyEnvironment(),
      detached: true,
      stdio: ["ignore", "ignore", stderr ?? "ignore"],
    });
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    child.on("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    await once(child, "spawn");
    if (child.pid === undefined) throw new Error("it has no process id");
    return { pid: child.pid, ended };
  } catch (error) {
    throw new ControllerError("operator", `Cannot start ${haproxy}: ${messageOf(error)}`, { cause: error });
  } finally {
    if (stderr !== undefined) closeSync(stderr);
  }
}
