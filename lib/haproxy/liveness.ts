import { ControllerError, messageOf } from "../util/errors.ts";
import type { HaproxyState, SocketHealth, SocketState } from "../reconcile/ports.ts";
import { sleep } from "../util/time.ts";
import { showProcesses } from "./master_cli.ts";
import { askThroughMaster } from "./runtime.ts";
import { ask, isTimeout } from "./socket.ts";
import type { StateDir } from "./state/dir.ts";

export interface LivenessOptions {
  readonly dir: Pick<StateDir, "runtimeSocket" | "masterSocket">;
  readonly state: () => HaproxyState;
  /** While it is, a socket that refuses connections is none that is lost, however long that takes. */
  readonly isReloading: () => boolean;
  /** While there is no place to make a lost socket, it is told once. */
  readonly canBeMade?: () => boolean;
  /** For how long connections must have been refused, in milliseconds. */
  readonly refusedAfterMs?: number;
  /** Called when what is seen differs from what was seen last. */
  readonly onSockets: (sockets: SocketHealth) => void;
  /** Called when a socket is lost, and again every 10 s while one is. */
  readonly onLost: () => void;
}

/** Looks at both sockets of HAProxy again and again, so that silence is noticed although nothing is to be changed. */
export interface Liveness {
  /** What was seen last. */
  sockets(): SocketHealth;
  run(signal: AbortSignal): Promise<void>;
}

/** Between two looks: seldom while all is well, often while something may not be. */
const LOOK = { calmMs: 600, doubtfulMs: 300 };
const ASK_MS = 900;
const ASK_AGAIN_MS = 500;
const MISSING_AFTER_MS = 800;
/** A master that executes itself again refuses connections: for up to 600 ms, with many servers for longer. */
const REFUSED_AFTER_MS = 10_000;
const LOST_AGAIN_MS = 10_000;
const ANSWERS = { kind: "answers" } as const;

/** Creates the look at both sockets; nothing is asked before `run()`. All is noticed within 3 s. */
export function createLiveness(options: LivenessOptions): Liveness {
  const { dir, state, onSockets, onLost, isReloading, canBeMade = () => true } = options;
  const { refusedAfterMs = REFUSED_AFTER_MS } = options;
  let sockets: SocketHealth = { worker: ANSWERS, master: ANSWERS };
  const patience = () => createPatience(isReloading, refusedAfterMs);
  const [worker, master] = [patience(), patience()];
  let lostAgainAt = 0;
  const enter = (next: SocketHealth) => {
    const isNews = next.worker.kind !== sockets.worker.kind || next.master.kind !== sockets.master.kind;
    const isLost = next.worker.kind === "lost" || next.master.kind === "lost";
    sockets = next;
    if (!isLost) lostAgainAt = 0;
    else if (performance.now() >= lostAgainAt) {
      lostAgainAt = performance.now() + LOST_AGAIN_MS;
      onLost();
    } else if (!canBeMade()) lostAgainAt = performance.now() + LOST_AGAIN_MS;
    if (isNews) onSockets(next);
  };
  /** Returns whether all was seen to be well. */
  const look = async (): Promise<boolean> => {
    if (state().kind !== "up") {
      enter({ worker: ANSWERS, master: ANSWERS });
      return false;
    }
    const [seenWorker, seenMaster] = await Promise.all([lookAtWorker(dir), lookAtMaster(dir.masterSocket)]);
    if (state().kind !== "up") return false;
    enter({ worker: worker(seenWorker), master: master(seenMaster) });
    return seenWorker.kind === "answers" && seenMaster.kind === "answers";
  };
  return {
    sockets: () => sockets,
    run: async (signal) => {
      while (!signal.aborted) {
        const isWell = await look();
        await sleep(isWell ? LOOK.calmMs : LOOK.doubtfulMs, signal);
      }
    },
  };
}

/** A socket counts as lost when it has been so for a while. */
function createPatience(isReloading: () => boolean, refusedAfterMs: number): (seen: Seen) => SocketState {
  let lostSince: number | undefined;
  return (seen) => {
    if (seen.kind !== "lost" || isReloading()) {
      lostSince = undefined;
      return seen.kind === "lost" ? ANSWERS : seen;
    }
    lostSince ??= performance.now();
    const afterMs = Math.min(seen.afterMs, refusedAfterMs);
    return performance.now() - lostSince < afterMs ? ANSWERS : { kind: "lost", reason: seen.reason };
  };
}

/** One look, not judged yet; it is believed when it has been so for `afterMs`. */
type Seen = Exclude<SocketState, { kind: "lost" }> | {
  readonly kind: "lost";
  readonly reason: string;
  readonly afterMs: number;
};

/** A worker that answers by way of its master lives: it is only its socket that is lost. */
async function lookAtWorker({ runtimeSocket, masterSocket }: LivenessOptions["dir"]): Promise<Seen> {
  const question: Question = (timeoutMs) => ask(runtimeSocket, "show version", timeoutMs);
  const first = await answer(question, ASK_MS);
  if (first.kind === "answers") return first;
  const [direct, isAlive] = await Promise.all([
    askedAgain(first, question),
    answersThroughMaster(masterSocket),
  ]);
  if (direct.kind === "answers" || !isAlive) return direct;
  return { kind: "lost", reason: direct.reason, afterMs: direct.kind === "lost" ? MISSING_AFTER_MS : 0 };
}

async function lookAtMaster(masterSocket: string): Promise<Seen> {
  const question: Question = (timeoutMs) => showProcesses(masterSocket, timeoutMs);
  return await askedAgain(await answer(question, ASK_MS), question);
}

function answersThroughMaster(masterSocket: string): Promise<boolean> {
  return askThroughMaster(masterSocket, "show version", ASK_AGAIN_MS).then(() => true, () => false);
}

type Question = (timeoutMs: number) => Promise<unknown>;

/** After the controller itself was frozen, its timers are heard before the answers that came meanwhile. */
async function askedAgain(first: Seen, question: Question): Promise<Seen> {
  return first.kind === "stuck" ? await answer(question, ASK_AGAIN_MS) : first;
}

async function answer(question: Question, timeoutMs: number): Promise<Seen> {
  try {
    await question(timeoutMs);
    return ANSWERS;
  } catch (error) {
    return isTimeout(error) ? { kind: "stuck", reason: messageOf(error) } : lost(error);
  }
}

function lost(error: unknown): Seen {
  const isMissing = error instanceof ControllerError && error.cause instanceof Deno.errors.NotFound;
  return {
    kind: "lost",
    reason: messageOf(error),
    afterMs: isMissing ? MISSING_AFTER_MS : REFUSED_AFTER_MS,
  };
}
