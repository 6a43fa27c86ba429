import type { BootOrigin } from "./boot.ts";
import { runningBase } from "./runtime.ts";
import type { StateDir } from "./state/dir.ts";
import { backoffDelay } from "../util/backoff.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { HaproxyState } from "../reconcile/ports.ts";
import { sleep } from "../util/time.ts";
import { showProcesses } from "./master_cli.ts";
import type { Supervisor } from "./supervisor.ts";

const POLL_MS = 500;
const BACKOFF = { minMs: 100, maxMs: 1_000 };
/** During a reload the master executes itself again and refuses connections, but for less time than this. */
const AWAY_AFTER_MS = 3_000;

/** What an attachment calls. */
export interface AttachPorts {
  /** Makes sure that HAProxy accepts the configuration file. */
  prepare(): Promise<BootOrigin>;
  /** Tells that HAProxy runs a configuration that an earlier run verified. */
  noteInherited(): Promise<void>;
  onState(state: HaproxyState): void;
}

/**
 * Attaches to an HAProxy that is run by something else, such as systemd. It replaces the supervisor: it only watches. It
 * never starts, signals or stops HAProxy. The configuration file is prepared first, because HAProxy may start at any time.
 */
export async function attach(sockets: StateDir, ports: AttachPorts): Promise<Supervisor> {
  const { masterSocket } = sockets;
  const origin = await ports.prepare();
  const runsAnother = typeof await masterAt(masterSocket) === "number" &&
    await runningBase(sockets) === undefined;
  if (origin !== "built-in" && !runsAnother) await ports.noteInherited();

  return async (signal) => {
    /** What was told last: a master's process id, or that it is away. */
    let told: number | "away" | undefined;
    let attempt = 0;
    let seenAt = -Infinity;
    while (!signal.aborted) {
      const seen = await masterAt(masterSocket);
      let pauseMs = BACKOFF.minMs;
      if (typeof seen === "number") {
        [attempt, seenAt, pauseMs] = [0, performance.now(), POLL_MS];
        if (told !== seen) ports.onState({ kind: "up", pid: seen, adopted: true });
        told = seen;
      } else if (performance.now() - seenAt > AWAY_AFTER_MS) {
        pauseMs = backoffDelay({ ...BACKOFF, attempt: ++attempt, random: Math.random() });
        if (told !== "away") ports.onState({ kind: "down", reason: seen, retryInMs: pauseMs });
        told = "away";
      }
      await sleep(pauseMs, signal);
    }
    ports.onState({ kind: "stopped" });
  };
}

/** The process id of a master that has a worker, or why there is none. */
async function masterAt(masterSocket: string): Promise<number | string> {
  try {
    const { masterPid, workers } = await showProcesses(masterSocket);
    return workers.length > 0 ? masterPid : `master ${masterPid} has no worker`;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * The paths of a node. An attached node uses another master socket. It refuses to start while an HAProxy of an earlier,
 * unattached run is still there: two masters on one port share it silently.
 *
 * @throws {ControllerError} (operator) when such an HAProxy answers
 */
export async function attachedDir(own: StateDir, socket: string | undefined): Promise<StateDir> {
  if (socket === undefined || socket === own.masterSocket) return own;
  const pid = await showProcesses(own.masterSocket).then(({ masterPid }) => masterPid, () => undefined);
  if (pid === undefined) return { ...own, masterSocket: socket };
  const state = `HAProxy master ${pid} of an earlier run answers on ${own.masterSocket}; stop it first`;
  throw new ControllerError("operator", `Cannot attach to ${socket}: ${state}`);
}
