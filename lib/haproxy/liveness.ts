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
const ASK_MS = 800;
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
  const worker = createPatience(isReloading, refusedAfterMs);
  const master = createPatience(isReloading, refusedAfterMs);
  let lostAgainAt = 0;
  const enter = (next: SocketHealth) => {
    const isNews = next.worker.kind !== sockets.worker.kind || next.master.kind !== sockets.master.kind;
    const isLost = next.worker.kind === "lost" || next.master.kind === "lost";
    sockets = next;
    const isDue = isLost && performance.now() >= lostAgainAt;
    if (!isLost) lostAgainAt = 0;
    else if (isDue || !canBeMade()) lostAgainAt = performance.now() + LOST_AGAIN_MS;
    if (isDue) onLost();
    if (isNews) onSockets(next);
  };
  /** Returns whether all was seen to be well. */
  const lookAtBoth = async (): Promise<boolean> => {
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
        const isWell = await lookAtBoth();
        await sleep(isWell ? LOOK.calmMs : LOOK.doubtfulMs, signal);
      }
    },
  };
}

/** What one look saw; a lost socket is believed to be lost when it has been so for `afterMs`. */
type Seen = SocketState & { readonly afterMs?: number };

/** A socket counts as lost when it has been so for a while. */
function createPatience(isReloading: () => boolean, refusedAfterMs: number): (seen: Seen) => SocketState {
  let lostSince: number | undefined;
  return (seen) => {
    const isLost = seen.kind === "lost" && !isReloading();
    lostSince = isLost ? lostSince ?? performance.now() : undefined;
    if (seen.kind !== "lost") return seen;
    const afterMs = Math.min(seen.afterMs ?? 0, refusedAfterMs);
    return lostSince === undefined || performance.now() - lostSince < afterMs ? ANSWERS : seen;
  };
}

/** A worker that answers by way of its master lives: it is only its socket that is lost. */
async function lookAtWorker({ runtimeSocket, masterSocket }: LivenessOptions["dir"]): Promise<Seen> {
  const seen = await look((timeoutMs) => ask(runtimeSocket, "show version", timeoutMs));
  if (seen.kind === "answers") return seen;
  const throughMaster = askThroughMaster(masterSocket, "show version", ASK_AGAIN_MS);
  const isAlive = await throughMaster.then(() => true, () => false);
  return isAlive ? { ...seen, kind: "lost", afterMs: seen.kind === "lost" ? MISSING_AFTER_MS : 0 } : seen;
}

function lookAtMaster(masterSocket: string): Promise<Seen> {
  return look((timeoutMs) => showProcesses(masterSocket, timeoutMs));
}

/** Asks once more when there was no answer in time: after the controller itself was frozen, its timers are heard first. */
async function look(question: (timeoutMs: number) => Promise<unknown>): Promise<Seen> {
  const failure = (timeoutMs: number) => question(timeoutMs).then(() => undefined, (error: unknown) => error);
  let error = await failure(ASK_MS);
  if (isTimeout(error)) error = await failure(ASK_AGAIN_MS);
  if (error === undefined) return ANSWERS;
  const reason = messageOf(error);
  if (isTimeout(error)) return { kind: "stuck", reason };
  const isMissing = error instanceof ControllerError && error.cause instanceof Deno.errors.NotFound;
  return { kind: "lost", reason, afterMs: isMissing ? MISSING_AFTER_MS : REFUSED_AFTER_MS };
}
