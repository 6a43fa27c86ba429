import { backoffDelay } from "../util/backoff.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { Pass } from "../reconcile/pass.ts";
import { reconcile, type ReconcilePorts } from "../reconcile/reconcile.ts";
import { INITIAL_STATE, type NodeState } from "../reconcile/state.ts";
import { jittered, sleep } from "../util/time.ts";
import type { Snapshot } from "../registry/snapshot.ts";
import type { Trigger } from "./trigger.ts";

/** What the loop works with. */
export interface ControllerOptions {
  readonly trigger: Trigger;
  /** The state of the registry; undefined until it was read: unknown is not empty. */
  readonly snapshot: () => Promise<Snapshot | undefined>;
  readonly ports: ReconcilePorts;
  /** A pass starts from this snapshot, which was asked for at `askedAt` (monotonic milliseconds). */
  readonly onStart: (snapshot: Snapshot, askedAt: number) => void;
  readonly onPass: (pass: Pass) => void;
  /** A pass failed. The next one follows after `retryInMs`. */
  readonly onError: (error: { message: string; retryInMs: number }) => void;
  /** How often a pass runs although nothing changed, and asks HAProxy for all that it runs; in milliseconds. */
  readonly resyncMs: number;
  readonly signal: AbortSignal;
}

const COOL_DOWN_LOOK_MS = 20;
/** The node should be right again within 5 s after the cause of a failure has ended. */
const BACKOFF = { minMs: 100, maxMs: 3_000 };

/**
 * The only loop: one pass at a time. What wakes it:
 *
 * - the trigger: something changed, the registry became quiet, or a resync was asked for
 * - `dueAt`: the last pass asked for another one, at once or later, or it failed
 * - `resyncAt`: nothing changed for `resyncMs`
 *
 * Changes during a pass cause one more pass. While changes keep coming, the pause before it is as long as the pass was.
 * Resolves when the signal is aborted and the current pass has ended. Rejects only on a bug.
 */
export async function runController(options: ControllerOptions): Promise<void> {
  const { trigger, signal, ports } = options;
  let state = INITIAL_STATE;
  let errors = 0;
  let dueAt = 0;
  let resyncAt = 0;
  while (!signal.aborted) {
    await trigger.next(Math.max(0, Math.min(dueAt, resyncAt) - ports.now()), signal);
    if (signal.aborted) break;
    const startedAt = ports.now();
    const full = trigger.takeResync() || startedAt >= resyncAt;
    if (full) resyncAt = startedAt + jittered(options.resyncMs, ports.random());
    try {
      const pass = await onePass(options, { state, full });
      errors = 0;
      state = pass?.state ?? state;
      dueAt = nextDue(options, pass);
    } catch (error) {
      if (isBug(error)) throw error;
      const retryInMs = backoffDelay({ ...BACKOFF, attempt: ++errors, random: ports.random() });
      options.onError({ message: messageOf(error), retryInMs });
      dueAt = ports.now() + retryInMs;
    }
    // A pass that starts over belongs to the one before.
    if (dueAt > ports.now()) await coolDown(options, ports.now() - startedAt);
  }
  trigger.stop();
}

/** While changes keep coming, passes take half of the time at most. There is no pause once changes have ended. */
async function coolDown({ trigger, ports, signal }: ControllerOptions, ms: number): Promise<void> {
  const until = ports.now() + ms;
  while (!trigger.quiet() && ports.now() < until && !signal.aborted) {
    await sleep(Math.min(COOL_DOWN_LOOK_MS, until - ports.now()), signal);
  }
}

/** Undefined: the registry was not read yet, so there was no pass. */
async function onePass(
  { snapshot, trigger, ports, onStart, onPass }: ControllerOptions,
  { state, full }: { state: NodeState; full: boolean },
): Promise<Pass | undefined> {
  const quiet = trigger.quiet();
  const askedAt = ports.now();
  const registry = await snapshot();
  if (registry === undefined) return undefined;
  onStart(registry, askedAt);
  const pass = await reconcile(registry, { state, quiet, full }, ports);
  onPass(pass);
  return pass;
}

/** Errors of etcd's client have many classes. Errors of the language are bugs. */
function isBug(error: unknown): boolean {
  if (error instanceof ControllerError) return false;
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
}

/** When the next pass is due although nothing changes. */
function nextDue({ trigger, ports }: ControllerOptions, pass: Pass | undefined): number {
  if (pass === undefined) return Infinity;
  const { requeue, decision: { pace } } = pass;
  if (pace.kind === "later" && pace.at === undefined) trigger.wakeWhenQuiet();
  if (requeue.kind === "at-once") return ports.now();
  return requeue.kind === "at" ? requeue.at : Infinity;
}
