import { dirname } from "node:path";
import { attach, attachedDir } from "../haproxy/attachment.ts";
import { claimConfigFile } from "../haproxy/boot.ts";
import { removeFile, sweepStaged } from "../haproxy/config_file.ts";
import { createLiveness } from "../haproxy/liveness.ts";
import { createHaproxyPort } from "../haproxy/port.ts";
import type { StateDir } from "../haproxy/state/dir.ts";
import { createStateKeeper } from "../haproxy/state/keeper.ts";
import { createSupervisor } from "../haproxy/supervisor.ts";
import type { HaproxyPort, HaproxyState } from "../reconcile/ports.ts";
import { log } from "../util/log.ts";
import { resolvesWithin } from "../util/time.ts";
import { type HaproxyOptions, masterPorts } from "./haproxy_process.ts";
import type { Part } from "./parts.ts";
import type { NodeRecorder } from "./recorder.ts";
import type { Trigger } from "./trigger.ts";

/** The HAProxy of a node: its process or the attachment, and the checks of its sockets. */
export interface NodeHaproxy {
  readonly port: HaproxyPort;
  /** Its paths; an attached node has another master socket. */
  readonly dir: StateDir;
  state(): HaproxyState;
  /** Resolves after the first attempt to start HAProxy, or 3 s: what an earlier run left is served first. */
  served(signal: AbortSignal): Promise<void>;
  /** @param hurry aborted when the stop must not wait for running requests */
  parts(hurry: AbortSignal): Part[];
  /** Removes what would make the next start wait for a master that has ended. */
  forget(): Promise<void>;
}

/** How long a node waits for HAProxy before it follows the registry. */
const SERVE_FIRST_MS = 3_000;

/**
 * Opens the node's HAProxy; nothing is started before its parts run.
 *
 * @throws {ControllerError} (operator) when the controller did not write the configuration file, or cannot attach
 */
export async function openHaproxy(
  options: HaproxyOptions,
  { recorder, trigger }: { readonly recorder: NodeRecorder; readonly trigger: Trigger },
): Promise<NodeHaproxy> {
  const { program, configPath, stateDir, socketAlias } = options;
  const { files } = stateDir;
  const dir = await attachedDir(stateDir.dir, options.attach);
  await claim(options);
  const { promise: tried, resolve: onTried } = Promise.withResolvers<void>();
  let state: HaproxyState = { kind: "starting" };
  const onState = (next: HaproxyState) => {
    state = next;
    recorder.onHaproxyState(state);
    if (state.kind !== "starting") onTried();
    if (state.kind === "up") trigger.ring();
  };
  const masters = masterPorts(options, { dir, recorder });
  const supervise = options.attach === undefined
    ? createSupervisor({ ...masters, onState })
    : await attach(dir, { ...masters, onState });
  const keeper = createStateKeeper(stateDir, (seen) => {
    const wasLost = recorder.facts().stateDirLost !== undefined;
    recorder.onStateDir(seen);
    // A pass that failed because of the directory is repeated at once.
    if (wasLost && seen.kind !== "lost") trigger.resync();
  });
  let isReloading = false;
  const liveness = createLiveness({
    dir,
    state: () => state,
    isReloading: () => isReloading,
    canBeMade: () => recorder.facts().stateDirLost === undefined,
    onSockets: (sockets) => {
      recorder.onSockets(sockets);
      trigger.resync();
    },
    onLost: () => {
      socketAlias.turn();
      trigger.resync();
    },
  });
  const port = createHaproxyPort({
    haproxy: program,
    configPath,
    dir,
    files,
    keeper,
    state: () => state,
    socketHealth: liveness.sockets,
    onReloading: (now) => isReloading = now,
  });
  return {
    port,
    dir,
    state: () => state,
    served: async (signal) => void await resolvesWithin(tried, SERVE_FIRST_MS, signal),
    parts: (hurry) => [
      {
        name: "HAProxy",
        run: (signal) => supervise(signal, { timeoutMs: options.stopTimeoutMs, hurry }),
      },
      { name: "the check of HAProxy's sockets", run: liveness.run },
      { name: "the keeper of the state directory", run: keeper.run },
    ],
    forget: async () => {
      if (options.attach !== undefined) return;
      await removeFile(dir.masterSocket);
      await removeFile(dir.startedWith);
    },
  };
}

async function claim({ configPath, replaceConfig }: HaproxyOptions): Promise<void> {
  const { keptCopy } = await claimConfigFile(configPath, { replace: replaceConfig });
  if (keptCopy !== undefined) log().warn("configuration file replaced", { keptCopy });
  await sweepStaged(dirname(configPath));
}
