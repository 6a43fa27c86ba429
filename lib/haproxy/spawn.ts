import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { ControllerError, messageOf } from "../util/errors.ts";
import { haproxyEnvironment } from "./check.ts";

/** A process that was started. */
export interface Spawned {
  readonly pid: number;
  /** Its end in words, such as `exit code 1`; never rejects. */
  readonly ended: Promise<string>;
}

/** What a master is started with. */
export interface SpawnOptions {
  readonly haproxy: string;
  readonly configPath: string;
  readonly masterSocket: string;
}

/**
 * Starts HAProxy in master-worker mode, in a session of its own. It appends its messages to a file, or says them to nobody.
 *
 * @throws {ControllerError} (operator) when it cannot be run
 */
export async function spawnMaster(
  { haproxy, configPath, masterSocket }: SpawnOptions,
  output: string | undefined,
): Promise<Spawned> {
  try {
    const stderr = output === undefined ? undefined : openSync(output, "a", 0o600);
    try {
      const args = ["-W", "-db", "-S", `${masterSocket},mode,600`, "-f", configPath];
      return await start(haproxy, args, stderr);
    } finally {
      if (stderr !== undefined) closeSync(stderr);
    }
  } catch (error) {
    throw new ControllerError("operator", `Cannot start ${haproxy}: ${messageOf(error)}`, { cause: error });
  }
}

/** Deno's own command takes no file for standard error. */
async function start(haproxy: string, args: string[], stderr: number | undefined): Promise<Spawned> {
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  const child = spawn(haproxy, args, {
    env: haproxyEnvironment(),
    detached: true,
    stdio: ["ignore", "ignore", stderr ?? "ignore"],
  });
  child.on("spawn", started.resolve);
  child.on("error", started.reject);
  child.on("exit", (code, signal) => {
    ended.resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
  });
  await started.promise;
  if (child.pid === undefined) throw new Error("it has no process id");
  return { pid: child.pid, ended: ended.promise };
}
