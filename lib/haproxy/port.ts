import type { HaproxyPort, HaproxyState, SocketHealth } from "../reconcile/ports.ts";
import { tryBind } from "./bind.ts";
import { changeServers } from "./change.ts";
import { checkConfig } from "./check.ts";
import { readText, removeFile, replaceFile, stageFile } from "./config_file.ts";
import { reload, showProcesses } from "./master_cli.ts";
import { observe, observeBackends, runningBase } from "./runtime.ts";
import type { StateDir } from "./state/dir.ts";
import type { StateFiles } from "./state/files.ts";
import type { StateKeeper } from "./state/keeper.ts";

/** How often the time of the last good file is renewed. The age of a stale configuration is known to this precision. */
const TOUCH_EVERY_MS = 20_000;

export interface HaproxyPortOptions {
  /** Looks the program up; throws a ControllerError when it is not found. */
  readonly haproxy: () => string;
  readonly configPath: string;
  readonly dir: StateDir;
  readonly files: StateFiles;
  readonly keeper: Pick<StateKeeper, "ensure">;
  readonly state: () => HaproxyState;
  readonly socketHealth: () => SocketHealth;
  /** Called when a reload begins and when it has ended. */
  readonly onReloading: (isReloading: boolean) => void;
}

/** The HAProxy of this node, as passes see it. */
export function createHaproxyPort(options: HaproxyPortOptions): HaproxyPort {
  const { haproxy, configPath, dir, files, keeper, state, socketHealth, onReloading } = options;
  const sockets = () => {
    const isLost = socketHealth().worker.kind === "lost";
    return { runtimeSocket: isLost ? undefined : dir.runtimeSocket, masterSocket: dir.masterSocket };
  };
  const masterPid = () => {
    const now = state();
    return now.kind === "up" ? now.pid : undefined;
  };
  let lastGood: string | undefined;
  let touchedAt = performance.now();
  return {
    observe: () => {
      const now = state();
      const { worker } = socketHealth();
      // Asking again would only take time.
      if (now.kind === "up") return worker.kind === "stuck" ? Promise.resolve(worker) : observe(sockets());
      if (now.kind === "starting") return Promise.resolve({ kind: "starting" });
      return Promise.resolve({ kind: "down", reason: now.kind === "down" ? now.reason : now.kind });
    },
    processes: async () => {
      if (state().kind !== "up") return { workerPid: undefined, base: undefined, oldWorkers: 0 };
      const [processes, base] = await Promise.all([
        // A master that executes itself again does not answer.
        showProcesses(dir.masterSocket).catch(() => undefined),
        runningBase(sockets()),
      ]);
      return { workerPid: processes?.workers[0]?.pid, base, oldWorkers: processes?.oldWorkers.length ?? 0 };
    },
    observeBackends: (backends) => observeBackends(sockets(), backends),
    change: (steps, unready) => changeServers(dir.runtimeSocket, steps, (key) => unready.has(key)),
    tryBind: (address) => Promise.resolve(tryBind(address)),
    readConfig: () => readText(configPath),
    readLastGood: () => files.read(dir.lastGood),
    stageConfig: (text) => stageFile(configPath, text),
    check: (path) => checkConfig(haproxy(), path),
    writeServerState: async (text) => {
      if (text !== undefined) return await replaceFile(dir.stateFile, text);
      await removeFile(dir.stateFile);
    },
    reload: async () => {
      // A master that cannot create its socket exits with its workers (seen on 2.6).
      await keeper.ensure();
      onReloading(true);
      try {
        return await reload(dir.masterSocket, masterPid());
      } finally {
        onReloading(false);
      }
    },
    keepLastGood: async (text) => {
      lastGood ??= await files.read(dir.lastGood);
      if (text === lastGood && performance.now() - touchedAt < TOUCH_EVERY_MS) return;
      if (text !== lastGood || !await touch(dir.lastGood)) await files.replace(dir.lastGood, text);
      [lastGood, touchedAt] = [text, performance.now()];
    },
  };
}

/** The time of the last good file tells until when it was known to be good. False when the file is missing. */
function touch(path: string): Promise<boolean> {
  const now = new Date();
  return Deno.utime(path, now, now).then(() => true, () => false);
}
