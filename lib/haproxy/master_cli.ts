import { ControllerError, messageOf } from "../util/errors.ts";
import type { ReloadResult } from "../reconcile/ports.ts";
import { sleep } from "../util/time.ts";
import { isThere } from "./config_file.ts";
import { alertsIn, parseProcesses, type ProcessTable } from "./wire/reply.ts";
import { ask } from "./socket.ts";

/** A file with tens of thousands of servers takes seconds to load. */
const RELOAD_TIMEOUT_MS = 30_000;
const POLL_MS = 15;

/**
 * The processes of the family behind a master socket.
 *
 * @throws {ControllerError} (transient) when the master does not answer
 */
export async function showProcesses(socketPath: string, timeoutMs?: number): Promise<ProcessTable> {
  // Without `quit` HAProxy 2.6 keeps the connection open after its answer.
  const reply = await ask(socketPath, "show proc;quit", timeoutMs);
  const table = parseProcesses(reply);
  if (table === undefined) {
    throw new ControllerError("transient", `Cannot read "show proc" of ${socketPath}: unexpected answer`);
  }
  return table;
}

/**
 * Tells the master to reload and waits for the result. A master whose socket is missing is told by a signal and recreates
 * its socket; whether it loaded the file is then read back from the worker.
 *
 * @throws {ControllerError} (transient) when the master cannot be asked, or the reload does not end in time
 */
export async function reload(socketPath: string, masterPid: number | undefined): Promise<ReloadResult> {
  if (masterPid !== undefined && !await isThere(socketPath)) {
    return await reloadBySignal(socketPath, masterPid);
  }
  const before = await showProcesses(socketPath);
  // HAProxy 3.x answers when the reload is done; 2.6 closes the connection at once, or resets it.
  const reply = await ask(socketPath, "reload", RELOAD_TIMEOUT_MS).catch(() => "");
  const after = await reloadEnd(socketPath, before);
  if (after.failedReloads <= before.failedReloads && !reply.includes("Success=0")) return { kind: "loaded" };
  const alerts = alertsIn(reply).join("; ");
  return { kind: "failed", reason: alerts || "HAProxy could not load the file (see its log lines)" };
}

/**
 * Waits for the end of a reload. Refused connections are no failure: the master is executing itself again. Another master
 * counts too: it was started meanwhile from the new file.
 */
async function reloadEnd(
  socketPath: string,
  before: Pick<ProcessTable, "masterPid" | "reloads">,
): Promise<ProcessTable> {
  const deadline = performance.now() + RELOAD_TIMEOUT_MS;
  let last = "the count of reloads did not move";
  while (performance.now() < deadline) {
    try {
      const table = await showProcesses(socketPath);
      if (table.reloads !== before.reloads || table.masterPid !== before.masterPid) return table;
    } catch (error) {
      last = messageOf(error);
    }
    await sleep(POLL_MS);
  }
  throw new ControllerError(
    "transient",
    `Cannot learn the result of the reload within ${RELOAD_TIMEOUT_MS} ms: ${last}`,
  );
}

async function reloadBySignal(socketPath: string, masterPid: number): Promise<ReloadResult> {
  try {
    Deno.kill(masterPid, "SIGUSR2");
  } catch (error) {
    throw new ControllerError("transient", `Cannot signal HAProxy master ${masterPid}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  await reloadEnd(socketPath, { masterPid, reloads: -1 });
  return { kind: "loaded" };
}
