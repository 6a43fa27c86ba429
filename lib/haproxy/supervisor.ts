import { backoffDelay } from "../util/backoff.ts";
import { messageOf } from "../util/errors.ts";
import type { HaproxyState } from "../reconcile/ports.ts";
import { resolvesWithin, sleep } from "../util/time.ts";
import type { AdoptionWait, Master } from "./master.ts";

/** What the supervisor calls. */
export interface SupervisorPorts {
  /** Adopts a master that runs already. Called once; waits while a process accepts connections and does not answer. */
  adopt(wait: AdoptionWait): Promise<Master | undefined>;
  /** Starts a master; called again when the last one has ended. */
  start(): Promise<Master>;
  /** Resolves when the master's worker answers, rejects when it does not in time. */
  untilReady(master: Master): Promise<void>;
  onState(state: HaproxyState): void;
}

/** HAProxy is stopped gracefully; after `timeoutMs`, or when `hurry` is aborted, it is terminated. */
export interface Stopping {
  readonly timeoutMs: number;
  readonly hurry: AbortSignal;
}

/** Keeps one HAProxy running until the signal is aborted and HAProxy has stopped. Rejects only when the adoption is refused. */
export type Supervisor = (signal: AbortSignal, stopping: Stopping) => Promise<void>;

/** When the cause of a failed start is gone, HAProxy must serve within 5 s. */
const BACKOFF = { minMs: 100, maxMs: 3_000 };
/** After this time the end of a master does not count as a failed start. */
const STABLE_MS = 10_000;
const KILL_AFTER_MS = 5_000;

/** Creates a supervisor; nothing is started before it is called. */
export function createSupervisor({ adopt, start, untilReady, onState }: SupervisorPorts): Supervisor {
  let isUp = false;
  /**
   * Running requests finish (management manual, 4 "Stopping and restarting"). A master that was started and is not up yet
   * has none; one that was adopted serves already.
   */
  const stop = async (master: Master, { timeoutMs, hurry }: Stopping) => {
    if (isUp || master.adopted) {
      master.signal("SIGUSR1");
      await resolvesWithin(master.ended, timeoutMs, hurry);
    }
    await end(master);
  };
  /** Runs a master to its end, or stops it; returns why it ended. */
  const runOne = async (master: Master, signal: AbortSignal, stopping: Stopping): Promise<string> => {
    const onStop = () => void stop(master, stopping);
    signal.addEventListener("abort", onStop, { once: true });
    if (signal.aborted) onStop();
    try {
      const early = await Promise.race([untilReady(master), master.ended]);
      if (early !== undefined) return early;
      isUp = true;
      onState({ kind: "up", pid: master.pid, adopted: master.adopted });
      return await master.ended;
    } catch (error) {
      await end(master);
      return messageOf(error);
    } finally {
      isUp = false;
      signal.removeEventListener("abort", onStop);
    }
  };
  return async (signal, stopping) => {
    const onWaiting = (reason: string) => onState({ kind: "starting", reason });
    let found = await adopt({ signal, onWaiting });
    for (let attempt = 0; found !== undefined || !signal.aborted; found = undefined) {
      const since = performance.now();
      const next = async () => await runOne(found ?? await start(), signal, stopping);
      const reason = await next().catch(messageOf);
      if (signal.aborted) continue;
      attempt = performance.now() - since > STABLE_MS ? 1 : attempt + 1;
      const retryInMs = backoffDelay({ ...BACKOFF, attempt, random: Math.random() });
      onState({ kind: "down", reason, retryInMs });
      await sleep(retryInMs, signal);
    }
    onState({ kind: "stopped" });
  };
}

/** Sends SIGTERM, and SIGKILL to a master that ignores it. */
async function end(master: Master): Promise<void> {
  master.signal("SIGTERM");
  if (await resolvesWithin(master.ended, KILL_AFTER_MS)) return;
  master.signal("SIGKILL");
  await master.ended;
}
