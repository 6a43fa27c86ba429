import { backoffDelay } from "../util/backoff.ts";
import { messageOf } from "../util/errors.ts";
import type { HaproxyState } from "../reconcile/ports.ts";
import { resolvesWithin, sleep } from "../util/time.ts";
import type { AdoptionWait, Master } from "./master.ts";

/** What the supervisor needs of the world. */
export interface SupervisorPorts {
  /** A master that runs already, asked once; waits while somebody is there who does not answer. */
  adopt(wait: AdoptionWait): Promise<Master | undefined>;
  /** Starts a master; called again whenever the last one ended. */
  start(): Promise<Master>;
  /** Resolves when the master's worker answers, rejects when it does not in time. */
  untilReady(master: Master): Promise<void>;
  onState(state: HaproxyState): void;
}

/** Keeps one HAProxy running. */
export interface Supervisor {
  state(): HaproxyState;
  /** Resolves when HAProxy was stopped; rejects only when the very first adoption is refused. */
  run(): Promise<void>;
  /** Stops HAProxy: gracefully, then after `timeoutMs` or when `hurry` is aborted at once. */
  stop(options: { timeoutMs: number; hurry: AbortSignal }): Promise<void>;
}

/** Whatever keeps HAProxy from starting, it is to serve within 5 s of the end of that. */
const BACKOFF = { minMs: 100, maxMs: 3_000 };
/** One that ran for longer than this did not fail at its start. */
const STABLE_MS = 10_000;
const KILL_AFTER_MS = 5_000;

/** Creates a supervisor; nothing is started before `run()`. */
export function createSupervisor(ports: SupervisorPorts): Supervisor {
  let state: HaproxyState = { kind: "starting" };
  let master: Master | undefined;
  const stopping = new AbortController();
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();

  const enter = (next: HaproxyState) => {
    state = next;
    ports.onState(next);
  };
  /** Runs one master to its end; returns why it ended. */
  const runOne = async (get: () => Promise<Master>): Promise<string> => {
    try {
      master = await get();
      if (stopping.signal.aborted) master.signal("SIGTERM");
      const ready = ports.untilReady(master);
      const early = await Promise.race([ready, master.ended]);
      if (early !== undefined) return early;
      enter({ kind: "up", pid: master.pid, adopted: master.adopted });
      return await master.ended;
    } catch (error) {
      return await failed(error);
    }
  };
  const failed = async (error: unknown): Promise<string> => {
    if (master !== undefined) await end(master);
    return messageOf(error);
  };
  const run = async () => {
    const adopted = await ports.adopt({
      signal: stopping.signal,
      onWaiting: (reason) => enter({ kind: "starting", reason }),
    });
    let attempt = 0;
    for (let next = adopted; !stopping.signal.aborted; next = undefined) {
      const since = performance.now();
      const found = next;
      const reason = await runOne(found === undefined ? ports.start : () => Promise.resolve(found));
      master = undefined;
      if (stopping.signal.aborted) break;
      attempt = performance.now() - since > STABLE_MS ? 1 : attempt + 1;
      const retryInMs = backoffDelay({ ...BACKOFF, attempt, random: Math.random() });
      enter({ kind: "down", reason, retryInMs });
      await sleep(retryInMs, stopping.signal);
    }
    enter({ kind: "stopped" });
    finish();
  };

  /** Running requests finish (management manual, 4 "Stopping and restarting"); one that is not up yet has none. */
  const stopGracefully = async (
    running: Master,
    { timeoutMs, hurry }: { timeoutMs: number; hurry: AbortSignal },
  ) => {
    if (state.kind !== "up") return;
    running.signal("SIGUSR1");
    await resolvesWithin(running.ended, timeoutMs, hurry);
  };

  return {
    state: () => state,
    run,
    stop: async ({ timeoutMs, hurry }) => {
      stopping.abort();
      const running = master;
      if (running !== undefined) {
        await stopGracefully(running, { timeoutMs, hurry });
        await end(running);
      }
      await finished;
    },
  };
}

/** SIGTERM, and SIGKILL for one that does not heed it. */
async function end(master: Master): Promise<void> {
  master.signal("SIGTERM");
  if (await resolvesWithin(master.ended, KILL_AFTER_MS)) return;
  master.signal("SIGKILL");
  await master.ended;
}
