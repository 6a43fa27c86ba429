import { ControllerError } from "../util/errors.ts";
import { sleep } from "../util/time.ts";
import type { Master } from "./master.ts";
import { showProcesses } from "./master_cli.ts";
import { ask } from "./socket.ts";
import type { StateDir } from "./state/dir.ts";

/** How long HAProxy may take from its start until it answers. */
const MASTER_TIMEOUT_MS = 15_000;
/** HAProxy 3.x lists a worker before its socket is there; an adopted one may have lost its socket, which a reload mends. */
const SOCKET_TIMEOUT_MS = 2_000;
const POLL_MS = 20;

/**
 * Resolves when the master has a worker that answers on the runtime socket, or when the master has ended.
 *
 * @throws {ControllerError} (transient) when the master does not answer in time
 */
export async function untilReady({ masterSocket, runtimeSocket }: StateDir, master: Master): Promise<void> {
  let ended = false;
  master.ended.then(() => ended = true);
  const isUp = () => hasWorker(masterSocket, master.pid);
  if (!await poll(isUp, { timeoutMs: MASTER_TIMEOUT_MS, isOver: () => ended })) {
    throw new ControllerError("transient", "Cannot reach HAProxy after its start: no answer");
  }
  await poll(() => answers(runtimeSocket), { timeoutMs: SOCKET_TIMEOUT_MS, isOver: () => ended });
}

async function poll(
  look: () => Promise<boolean>,
  { timeoutMs, isOver }: { timeoutMs: number; isOver: () => boolean },
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!isOver()) {
    if (await look()) return true;
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

async function hasWorker(masterSocket: string, masterPid: number): Promise<boolean> {
  try {
    const processes = await showProcesses(masterSocket);
    return processes.masterPid === masterPid && processes.workers.length > 0;
  } catch {
    return false;
  }
}

async function answers(runtimeSocket: string): Promise<boolean> {
  try {
    await ask(runtimeSocket, "show version");
    return true;
  } catch {
    return false;
  }
}
