import { backoffDelay } from "../util/backoff.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import { forwardClock } from "../util/forward_clock.ts";
import { INITIAL_STATE, type NodeState } from "../reconcile/state.ts";
import { type PassReport, reconcile, type ReconcilePorts } from "../reconcile/reconcile.ts";
import { resolvesWithin, sleep } from "../util/time.ts";
import type { Snapshot } from "../registry/snapshot.ts";
import type { Trigger } from "./trigger.ts";

/** What the loop works with. */
export interface ControllerOptions {
  readonly trigger: Trigger;
  /** The state of the registry; undefined until it was read, for what is unknown is not empty. */
  readonly snapshot: () => Promise<Snapshot | undefined>;
  readonly ports: ReconcilePorts;
  readonly onPass: (report: PassReport) => void;
  /** A pass could not be made at all; it is tried again after `retryInMs`. */
  readonly onError: (error: { message: string; retryInMs: number }) => void;
  /** How often a pass is made although nothing changed, asking HAProxy for all that it runs; in milliseconds. */
  readonly resyncMs: number;
  /** Whether the next pass is to be such a one; asked once for each pass. */
  readonly resyncAsked: () => boolean;
  readonly signal: AbortSignal;
}

const COOL_DOWN_LOOK_MS = 20;
/** Whatever made a pass fail, the node is to be right again within 5 s of its end. */
const BACKOFF = { minMs: 100, maxMs: 3_000 };

/**
 * The loop: one pass at a time, whenever something changed, a put-off plan is due, or a resync is. Changes during a pass
 * cause exactly one more, no sooner after it than it took while changes keep coming. Resolves when the signal is aborted
 * and the pass at hand is done; rejects only on a bug.
 */
export async function runController(given: ControllerOptions): Promise<void> {
  const options = { ...given, ports: { ...given.ports, now: forwardClock(given.ports.now) } };
  const { trigger, signal } = options;
  let memory = INITIAL_STATE;
  let errors = 0;
  let dueAt = 0;
  let resyncAt = 0;
  let changed: Promise<void> | undefined;
  while (!signal.aborted) {
    const now = options.ports.now();
    changed ??= trigger.next();
    const rang = await resolvesWithin(changed, Math.max(0, dueAt - now), signal);
    if (signal.aborted) break;
    if (rang) changed = undefined;
    const startedAt = options.ports.now();
    const full = options.resyncAsked() || startedAt >= resyncAt;
    if (full) resyncAt = nextResync(options);
    const pass = await tryPass(options, { memory, full });
    if (pass.kind === "error") {
      const retryInMs = backoffDelay({ ...BACKOFF, attempt: ++errors, random: options.ports.random() });
      options.onError({ message: pass.message, retryInMs });
      dueAt = options.ports.now() + retryInMs;
    } else {
      errors = 0;
      memory = pass.memory;
      dueAt = Math.min(resyncAt, nextDue(options, pass.report));
    }
    await coolDown(options, options.ports.now() - startedAt);
  }
  trigger.stop();
}

/** While changes keep coming, passes take half of the time at most; once they have ended nothing is gained by waiting. */
async function coolDown({ trigger, ports, signal }: ControllerOptions, ms: number): Promise<void> {
  const until = ports.now() + ms;
  while (!trigger.quiet() && ports.now() < until && !signal.aborted) {
    await sleep(Math.min(COOL_DOWN_LOOK_MS, until - ports.now()), signal);
  }
}

type PassResult =
  | { readonly kind: "done"; readonly memory: NodeState; readonly report: PassReport | undefined }
  | { readonly kind: "error"; readonly message: string };

async function tryPass(
  { snapshot, trigger, ports, onPass }: ControllerOptions,
  { memory, full }: { memory: NodeState; full: boolean },
): Promise<PassResult> {
  try {
    const quiet = trigger.quiet();
    const state = await snapshot();
    if (state === undefined) return { kind: "done", memory, report: undefined };
    const pass = await reconcile(state, { memory, quiet, full }, ports);
    onPass(pass.report);
    return { kind: "done", ...pass };
  } catch (error) {
    if (isBug(error)) throw error;
    return { kind: "error", message: messageOf(error) };
  }
}

/** Errors of etcd's client have many classes; what the language itself throws is a bug. */
function isBug(error: unknown): boolean {
  if (error instanceof ControllerError) return false;
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
}

function nextResync({ ports, resyncMs }: ControllerOptions): number {
  return ports.now() + resyncMs * (0.75 + ports.random() / 2);
}

/** When the report asks for another pass although nothing changes. */
function nextDue({ trigger, ports }: ControllerOptions, report: PassReport | undefined): number {
  if (report === undefined) return Infinity;
  const { again, pace } = report;
  if (pace.kind === "later" && pace.at === undefined) trigger.wakeWhenQuiet();
  if (again.kind === "at-once") return ports.now();
  return again.kind === "at" ? again.at : Infinity;
}
