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
  /** During a reload a socket that refuses connections does not count as lost, however long the reload takes. */
  readonly isReloading: () => boolean;
  /** Whether there is a directory to recreate a lost socket in. Without it, `onLost` is called once. */
  readonly canBeMade?: () => boolean;
  /** How long connections must be refused before the socket counts as lost. */
  readonly refusedAfterMs?: number;
  /** Called when the state of a socket has changed. */
  readonly onSockets: (sockets: SocketHealth) => void;
  /** Called when a socket is lost, and every 10 s until it is back. */
  readonly onLost: () => void;
}

/** Checks both sockets of HAProxy regularly, so that a problem is noticed even when nothing has to be changed. */
export interface Liveness {
  /** The result of the last check. */
  sockets(): SocketHealth;
  run(signal: AbortSignal): Promise<void>;
}

/** The pause between two checks: long while all is well, short while there may be a problem. */
const LOOK = { calmMs: 600, doubtfulMs: 300 };
const ASK_MS = 800;
const ASK_AGAIN_MS = 500;
const MISSING_AFTER_MS = 800;
/** A master that executes itself again refuses connections: up to 600 ms, longer with many servers. */
const REFUSED_AFTER_MS = 10_000;
const LOST_AGAIN_MS = 10_000;
const ANSWERS = { kind: "answers" } as const;

/** Creates the checks of both sockets; nothing is asked before `run()`. Problems are noticed within 3 s. */
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
  /** Tells whether all is well. */
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

/** The result of one look. A socket counts as lost only after it was seen so for `afterMs`. */
type Seen = SocketState & { readonly afterMs?: number };

/** Turns single looks into the state of a socket. */
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

/** A worker that answers through its master is alive: only its socket is lost. */
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

/** Asks twice when there was no answer in time: after the controller was frozen, its timers fire before answers are read. */
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
