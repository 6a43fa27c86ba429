import { ControllerError } from "../util/errors.ts";
import { sleep } from "../util/time.ts";
import type { Master } from "./master.ts";
import { showProcesses } from "./master_cli.ts";
import { answers } from "./socket.ts";
import type { StateDir } from "./state/dir.ts";

/** How long HAProxy may take from its start until it answers. */
const MASTER_TIMEOUT_MS = 15_000;
/** HAProxy 3.x lists a worker before its socket exists. An adopted worker may have lost its socket; a reload recreates it. */
const SOCKET_TIMEOUT_MS = 2_000;
const POLL_MS = 20;

/**
 * Resolves when the master has a worker that answers on the runtime socket, or when the master has ended.
 *
 * @throws {ControllerError} (transient) when the master does not answer in time
 */
export async function untilReady(
  { masterSocket, runtimeSocket }: Pick<StateDir, "masterSocket" | "runtimeSocket">,
  { pid, ended }: Pick<Master, "pid" | "ended">,
): Promise<void> {
  let isOver = false;
  ended.then(() => isOver = true);
  /** Looks until it is true or the master has ended; false when the time is up. */
  const becomes = async (look: () => Promise<boolean>, timeoutMs: number): Promise<boolean> => {
    const deadline = performance.now() + timeoutMs;
    while (!isOver && !await look()) {
      if (performance.now() > deadline) return false;
      await sleep(POLL_MS);
    }
    return true;
  };
  const hasWorker = () =>
    showProcesses(masterSocket).then(
      ({ masterPid, workers }) => masterPid === pid && workers.length > 0,
      () => false,
    );
  if (!await becomes(hasWorker, MASTER_TIMEOUT_MS)) {
    throw new ControllerError("transient", "Cannot reach HAProxy after its start: no answer");
  }
  await becomes(() => answers(runtimeSocket), SOCKET_TIMEOUT_MS);
}
