import type { Etcd3 } from "etcd3";
import { backoffDelay } from "../util/backoff.ts";
import { ControllerError } from "../util/errors.ts";
import { revokeLease } from "../etcd/lease.ts";
import { type CallStep, makeCall, UNARY_LIMIT_MS } from "./calls.ts";
import type {
  RegistrationCall,
  RegistrationEnd,
  RegistrationEvent,
  RegistrationState,
  Removal,
} from "./events.ts";
import { advance, begun, NO_PROGRESS, type Progress, stateOf, type StepResult } from "./progress.ts";
import { nextRegistrationStep, type Wanted } from "./step.ts";
import { createWaiters } from "./waiters.ts";
import { type TurnRank, turnsOf } from "./turns.ts";

/** What to keep registered, and where. */
export interface RegistrationOptions {
  readonly kv: Etcd3;
  readonly key: string;
  /** `undefined`: not registered until `update()` gives a value. */
  readonly value: string | undefined;
  /** The key is gone this long after its process was last heard of. etcd may grant more. */
  readonly ttlSeconds: number;
  readonly onEvent?: (event: RegistrationEvent) => void;
  /** Ends the registration without removing the key: it goes when its lease ends. */
  readonly signal?: AbortSignal;
}

/** A key that is kept registered until it is removed, or another lease owns it. */
export interface Registration {
  readonly key: string;
  /** Resolves when the registration has ended. Never rejects. */
  readonly ended: Promise<RegistrationEnd>;
  state(): RegistrationState;
  /**
   * Puts a new value under the same lease, now or as soon as etcd can be reached.
   *
   * @returns the revision of the put, or of a later one if the value was replaced before it could be put
   * @throws if the registration ends before
   */
  update(value: string): Promise<bigint>;
  /**
   * Deletes the key and keeps the lease, so that an `update()` puts it back.
   *
   * @returns the revision of the last change that this registration made
   * @throws if the registration ends before
   */
  withdraw(): Promise<bigint>;
  /** Ends the registration and deletes the key, unless another lease owns it by now. Takes at most `limitMs`. Never rejects. */
  remove(options?: { readonly limitMs?: number }): Promise<Removal>;
}

const RETRY = { minMs: 100, maxMs: 2_000 };
const RANKS: Readonly<Record<CallStep["kind"], TurnRank>> = {
  renew: "keep",
  put: "change",
  withdraw: "change",
  check: "change",
  grant: "begin",
};

/**
 * Keeps one key registered under a lease of its own until it is removed, whatever happens to etcd or to this process.
 * A key that another lease owns is never overwritten.
 */
export function register(options: RegistrationOptions): Registration {
  const { kv, key, ttlSeconds } = options;
  const onEvent = options.onEvent ?? (() => {});
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([stop.signal, options.signal]) : stop.signal;
  const { promise: ended, resolve: end } = Promise.withResolvers<RegistrationEnd>();
  const inTurn = turnsOf(kv);
  const waiters = createWaiters();
  let wanted: Wanted = { value: options.value, version: 1 };
  let progress: Progress = NO_PROGRESS;
  let failing: { readonly call: RegistrationCall; readonly attempts: number } | undefined;
  let removal: Promise<Removal> | undefined;
  let wake = () => {};

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const { lease, returnAtMs } = progress;
      const step = nextRegistrationStep({ lease, wanted, returnAtMs, nowMs: performance.now() });
      if (step.kind === "rest") await rest();
      else if (step.kind === "wait") await sleep(step.delayMs);
      else await attempt(step);
    }
    end({ kind: stop.signal.aborted ? "removed" : "aborted" });
    waiters.rejectAll(endedError(key));
  }

  async function attempt(step: CallStep): Promise<void> {
    const isRetry = failing?.call === step.kind;
    try {
      await inTurn(async () => {
        progress = begun(progress, step);
        const { attempted } = progress;
        take(await makeCall(step, { isRetry, attempted }, { kv, key, ttlSeconds, signal }));
      }, { rank: RANKS[step.kind], signal });
      if (failing?.call === step.kind) recover(failing);
    } catch (error) {
      if (!signal.aborted) await backOff(step.kind, error);
    }
  }

  function take(result: StepResult): void {
    const { lease } = progress;
    const { progress: next, event, reached } = advance(progress, result);
    progress = next;
    if (event?.kind === "taken") end(event);
    if (event !== undefined) onEvent(event);
    if (reached !== undefined) waiters.settle(reached, progress.revision);
    if (event?.kind !== "taken") return;
    if (lease !== undefined) revokeLease(kv, lease.id, { limitMs: UNARY_LIMIT_MS }).catch(() => {});
    stop.abort();
  }

  function recover({ call, attempts }: { call: RegistrationCall; attempts: number }): void {
    failing = undefined;
    onEvent({ kind: "recovered", call, attempts });
  }

  async function backOff(call: RegistrationCall, error: unknown): Promise<void> {
    const attempts = failing?.call === call ? failing.attempts + 1 : 1;
    failing = { call, attempts };
    const retryInMs = backoffDelay({ ...RETRY, attempt: attempts, random: Math.random() });
    onEvent({ kind: "failing", call, error, attempt: attempts, retryInMs });
    await sleep(retryInMs);
  }

  function rest(): Promise<void> {
    waiters.settle(wanted.version, progress.revision);
    return sleep(undefined);
  }

  /** Ends early on an update or when the registration ends. */
  function sleep(delayMs: number | undefined): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = delayMs === undefined ? undefined : setTimeout(resolve, delayMs);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  }

  function want(value: string | undefined): Promise<bigint> {
    if (signal.aborted) return waiters.refuse(endedError(key));
    wanted = { value, version: wanted.version + 1 };
    const reached = waiters.add(wanted.version);
    // Who asks for something does not come with the crowd.
    progress = { ...progress, returnAtMs: 0 };
    wake();
    return reached;
  }

  async function revoke(limitMs: number): Promise<Removal> {
    stop.abort();
    await running;
    const { lease } = progress;
    if (lease === undefined) return { kind: "removed", revision: undefined };
    try {
      return { kind: "removed", revision: await revokeLease(kv, lease.id, { limitMs }) };
    } catch (error) {
      return { kind: "expiring", error };
    }
  }

  signal.addEventListener("abort", () => wake(), { once: true });
  const running = run();
  return {
    key,
    ended,
    state: () => signal.aborted ? { kind: "ended" } : stateOf(progress, wanted),
    update: want,
    withdraw: () => want(undefined),
    remove: ({ limitMs = UNARY_LIMIT_MS } = {}) => removal ??= revoke(limitMs),
  };
}

function endedError(key: string): ControllerError {
  return new ControllerError("operator", `Cannot update ${key}: its registration has ended`);
}
