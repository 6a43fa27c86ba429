import { ControllerError, messageOf } from "../util/errors.ts";
import { haproxyVersion } from "./check.ts";
import { log } from "../util/log.ts";

/** Directories of server programs, which may be missing in the PATH of an ordinary user. */
const MORE_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/**
 * The full path of a program that is given by name or by path.
 *
 * @param path directories to look in, as in `PATH`
 * @throws {ControllerError} (operator) when it is not found
 */
export function findHaproxy(name: string, path: string): string {
  const candidates = name.includes("/")
    ? [name]
    : [...path.split(":"), ...MORE_DIRECTORIES].map((directory) => `${directory}/${name}`);
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new ControllerError("operator", `Cannot find ${name}: install HAProxy, or name it with --haproxy`);
}

/** The version, or `unknown` when the program cannot be run now: it is looked up again each time it is needed. */
export async function versionIfThere(haproxy: () => string): Promise<string> {
  try {
    return await haproxyVersion(haproxy());
  } catch (error) {
    log().error("cannot run haproxy, retrying", { reason: messageOf(error) });
    return "unknown";
  }
}

function isExecutable(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}
