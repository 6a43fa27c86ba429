import { ControllerError } from "../util/errors.ts";
import { MANAGED_LINE } from "../config/render.ts";
import { checkConfig } from "./check.ts";
import { readText, removeFile, replaceFile } from "./config_file.ts";
import type { StateDir } from "./state/dir.ts";
import type { StateFiles } from "./state/files.ts";

/** Where the configuration comes from that HAProxy is started with. */
export type BootOrigin = "disk" | "last-good" | "built-in";

/** The configuration that HAProxy is started with, and why better ones were skipped. */
export interface BootConfig {
  readonly origin: BootOrigin;
  readonly skipped: readonly string[];
}

/** What a start of HAProxy is prepared from. */
export interface BootOptions {
  readonly haproxy: string;
  readonly configPath: string;
  readonly dir: StateDir;
  readonly files: StateFiles;
  /** A configuration without any server, which answers 503. */
  readonly builtIn: string;
}

/**
 * Makes sure that HAProxy accepts the file on disk: keeps it, or replaces it by the last good copy or the built-in one.
 *
 * @throws {ControllerError} (operator) when the file cannot be written or haproxy cannot be run
 */
export async function prepareBoot(
  { haproxy, configPath, dir, files, builtIn }: BootOptions,
): Promise<BootConfig> {
  // An old server-state file would restore old addresses.
  await removeFile(dir.stateFile);
  const skipped: string[] = [];
  const candidates = [
    { origin: "disk", path: configPath, read: () => readText(configPath) },
    { origin: "last-good", path: dir.lastGood, read: () => files.read(dir.lastGood) },
  ] as const;
  for (const { origin, path, read } of candidates) {
    const text = await read();
    if (text === undefined) continue;
    const result = await checkConfig(haproxy, path);
    if (result.kind === "valid") {
      if (origin !== "disk") await replaceFile(configPath, text);
      return { origin, skipped };
    }
    skipped.push(`${path}: ${result.alerts.map(({ message }) => message).join("; ")}`);
  }
  await replaceFile(configPath, builtIn);
  return { origin: "built-in", skipped };
}

/**
 * Refuses a configuration file that the controller did not write. With `replace` it moves the file to a copy instead.
 *
 * @throws {ControllerError} (operator) when the controller did not write the file
 */
export async function claimConfigFile(
  path: string,
  options: { replace: boolean },
): Promise<{ keptCopy?: string }> {
  const text = await readText(path);
  if (text === undefined || text.split("\n", 1)[0] === MANAGED_LINE) return {};
  if (!options.replace) {
    const state =
      `its first line is not "${MANAGED_LINE}"; use --replace-config to replace it (a copy is kept)`;
    throw new ControllerError("operator", `Cannot manage ${path}: ${state}`);
  }
  const keptCopy = `${path}.before-etcd-haproxy`;
  if (await readText(keptCopy) === undefined) await replaceFile(keptCopy, text);
  await removeFile(path);
  return { keptCopy };
}
