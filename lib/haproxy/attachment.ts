import type { BootOrigin } from "./boot.ts";
import { runningBase } from "./runtime.ts";
import type { StateDir } from "./state/dir.ts";
import { backoffDelay } from "../util/backoff.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { HaproxyState } from "../reconcile/ports.ts";
import { sleep } from "../util/time.ts";
import { showProcesses } from "./master_cli.ts";
import type { Supervisor } from "./supervisor.ts";

export interface AttachmentOptions {
  /** The master socket of an HAProxy that somebody else runs. */
  readonly masterSocket: string;
  readonly onState: (state: HaproxyState) => void;
}

const POLL_MS = 500;
const BACKOFF = { minMs: 100, maxMs: 1_000 };
/** A master that executes itself again refuses connections for less. */
const AWAY_AFTER_MS = 3_000;

/**
 * Stands in for the supervisor where somebody else owns HAProxy's life: it only watches whether the master is there, and
 * never starts, signals or ends it.
 */
export function createAttachment({ masterSocket, onState }: AttachmentOptions): Supervisor {
  let state: HaproxyState = { kind: "starting" };
  const stopping = new AbortController();
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();

  const enter = (next: HaproxyState) => {
    state = next;
    onState(next);
  };
  const enterAway = (reason: string, attempt: number): Promise<void> => {
    const retryInMs = backoffDelay({ ...BACKOFF, attempt, random: Math.random() });
    // One that stays away is news once.
    if (state.kind !== "down") enter({ kind: "down", reason, retryInMs });
    return sleep(retryInMs, stopping.signal);
  };
  const run = async () => {
    let attempt = 0;
    let seenAt = -Infinity;
    while (!stopping.signal.aborted) {
      const seen = await lookForMaster(masterSocket);
      if (seen.kind === "there") {
        [attempt, seenAt] = [0, performance.now()];
        if (state.kind !== "up" || state.pid !== seen.pid) {
          enter({ kind: "up", pid: seen.pid, adopted: true });
        }
        await sleep(POLL_MS, stopping.signal);
      } else if (performance.now() - seenAt > AWAY_AFTER_MS) {
        await enterAway(seen.reason, ++attempt);
      } else {
        await sleep(BACKOFF.minMs, stopping.signal);
      }
    }
    enter({ kind: "stopped" });
    finish();
  };

  return {
    state: () => state,
    run,
    stop: async () => {
      stopping.abort();
      await finished;
    },
  };
}

/** Whether a master answers that has a worker. */
export type MasterLook = { readonly kind: "there"; readonly pid: number } | {
  readonly kind: "away";
  readonly reason: string;
};

/** Asks once. */
export async function lookForMaster(masterSocket: string): Promise<MasterLook> {
  try {
    const { masterPid, workers } = await showProcesses(masterSocket);
    if (workers.length > 0) return { kind: "there", pid: masterPid };
    return { kind: "away", reason: `master ${masterPid} has no worker` };
  } catch (error) {
    return { kind: "away", reason: messageOf(error) };
  }
}

/**
 * Makes sure that no HAProxy of an earlier run, which was not attached, is left: two masters on one port share it silently.
 *
 * @throws {ControllerError} (operator) when one answers
 */
export async function refuseOwnMaster(own: string, attached: string): Promise<void> {
  if (own === attached) return;
  const pid = await showProcesses(own).then(({ masterPid }) => masterPid, () => undefined);
  if (pid === undefined) return;
  const state = `HAProxy master ${pid} of an earlier run answers on ${own}; stop it first`;
  throw new ControllerError("operator", `Cannot attach to ${attached}: ${state}`);
}

/** The places of a node: the master socket is another one when it is attached. */
export async function attachedDir(own: StateDir, socket: string | undefined): Promise<StateDir> {
  if (socket === undefined) return own;
  await refuseOwnMaster(own.masterSocket, socket);
  return { ...own, masterSocket: socket };
}

export interface AttachPorts {
  /** Makes the configuration file one that HAProxy takes. */
  prepare(): Promise<BootOrigin>;
  /** Tells that HAProxy serves what an earlier run verified. */
  noteInherited(): Promise<void>;
  onState(state: HaproxyState): void;
}

/** Attaches to an HAProxy that others run. The file that it reads must be there before it is. */
export async function attach(
  sockets: StateDir,
  ports: AttachPorts,
): Promise<Supervisor> {
  const origin = await ports.prepare();
  const { kind } = await lookForMaster(sockets.masterSocket);
  const runsAnother = kind === "there" && await runningBase(sockets) === undefined;
  if (origin !== "built-in" && !runsAnother) await ports.noteInherited();
  return createAttachment({ masterSocket: sockets.masterSocket, onState: ports.onState });
}
