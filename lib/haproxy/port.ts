import type { HaproxyPort, HaproxyState } from "../ports.ts";
import { tryBind } from "./bind.ts";
import { changeServers } from "./change.ts";
import { checkConfig } from "./check.ts";
import { createFileReader, readText, removeFile, replaceFile, stageFile } from "./config_file.ts";
import { reload, showProcesses } from "./master_cli.ts";
import { observe, observeBackends, runningBase } from "./runtime.ts";
import type { StateDir } from "./state_dir.ts";

/** How exactly the age of what a stale node serves is known. */
const TOUCH_EVERY_MS = 20_000;

export interface HaproxyPortOptions {
  readonly haproxy: string;
  readonly configPath: string;
  readonly dir: StateDir;
  readonly state: () => HaproxyState;
}

/** The HAProxy of this node, as passes see it. */
export function createHaproxyPort({ haproxy, configPath, dir, state }: HaproxyPortOptions): HaproxyPort {
  let lastGood: string | undefined;
  let touchedAt = performance.now();
  return {
    observe: () => {
      const now = state();
      if (now.kind === "up") return observe(dir.runtimeSocket);
      if (now.kind === "starting") return Promise.resolve({ kind: "starting" });
      return Promise.resolve({ kind: "down", reason: now.kind === "down" ? now.reason : now.kind });
    },
    glance: async () => {
      if (state().kind !== "up") return { workerPid: undefined, base: undefined, oldWorkers: 0 };
      const [processes, base] = await Promise.all([
        // A master that is busy executing itself has no answer.
        showProcesses(dir.masterSocket).catch(() => undefined),
        runningBase(dir.runtimeSocket),
      ]);
      return { workerPid: processes?.workers[0]?.pid, base, oldWorkers: processes?.oldWorkers.length ?? 0 };
    },
    observeBackends: (backends) => observeBackends(dir.runtimeSocket, backends),
    change: (steps, held) => changeServers(dir.runtimeSocket, steps, (key) => held.has(key)),
    tryBind: (address) => Promise.resolve(tryBind(address)),
    readConfig: createFileReader(configPath),
    readLastGood: () => readText(dir.lastGood),
    stageConfig: (text) => stageFile(configPath, text),
    check: (path) => checkConfig(haproxy, path),
    writeServerState: async (text) => {
      if (text !== undefined) return await replaceFile(dir.stateFile, text);
      await removeFile(dir.stateFile);
    },
    reload: () => reload(dir.masterSocket),
    keepLastGood: async (text) => {
      lastGood ??= await readText(dir.lastGood);
      if (text === lastGood && performance.now() - touchedAt < TOUCH_EVERY_MS) return;
      touchedAt = performance.now();
      if (text === lastGood) return await touch(dir.lastGood);
      await replaceFile(dir.lastGood, text);
      lastGood = text;
    },
  };
}

/** The time of the last good file tells until when it was known to be right. */
async function touch(path: string): Promise<void> {
  const now = new Date();
  await Deno.utime(path, now, now);
}
