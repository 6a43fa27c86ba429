import type { Etcd3 } from "etcd3";
import { backoffDelay } from "../util/backoff.ts";
import { createBell } from "../util/bell.ts";
import { ControllerError } from "../util/errors.ts";
import { revokeLease } from "../etcd/lease.ts";
import { callQueueOf } from "./call_queue.ts";
import { type CallStep, makeCall, UNARY_LIMIT_MS } from "./calls.ts";
import type { RegistrationCall, RegistrationEvent, RegistrationState, Removal } from "./events.ts";
import { type Advance, begun, NO_PROGRESS, type Progress, stateOf } from "./progress.ts";
import { nextRegistrationStep, type Wanted } from "./step.ts";

/** What to keep registered, and where. */
export interface RegistrationOptions {
  readonly kv: Etcd3;
  readonly key: string;
  /** `undefined`: not registered until `update()` gives a value. */
  readonly value: string | undefined;
  /** The key is gone this long after its process was last alive. etcd may grant more. */
  readonly ttlSeconds: number;
  readonly onEvent?: (event: RegistrationEvent) => void;
}

/** A key that is kept registered until it is removed, or another lease owns it. */
export interface Registration {
  /** Resolves when another lease owns the key, with that lease (`0`: the key has none). The registration has ended then. */
  readonly taken: Promise<string>;
  state(): RegistrationState;
  /**
   * Puts a new value under the same lease, now or as soon as etcd can be reached.
   *
   * @returns the revision of the put, or of a later one if the value was replaced before etcd answered
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

/**
 * Keeps one key registered under a lease of its own until it is removed, whatever happens to etcd or to this process.
 * A key that another lease owns is never overwritten.
 */
export function register(options: RegistrationOptions): Registration {
  const { kv, key, ttlSeconds, onEvent = () => {} } = options;
  const stop = new AbortController();
  const { signal } = stop;
  const taken = Promise.withResolvers<string>();
  const inTurn = callQueueOf(kv);
  const bell = createBell();
  const endedError = () =>
    new ControllerError("operator", `Cannot update ${key}: its registration has ended`);
  let wanted: Wanted = { value: options.value, version: 1 };
  let reached = handled(Promise.withResolvers<bigint>());
  let progress: Progress = NO_PROGRESS;
  let returnAtMs = 0;
  let failing: { readonly call: RegistrationCall; readonly attempts: number } | undefined;
  let removal: Promise<Removal> | undefined;

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const { lease } = progress;
      const step = nextRegistrationStep({ lease, wanted, returnAtMs, nowMs: performance.now() });
      if (step.kind === "rest") reached.resolve(progress.revision);
      if (step.kind === "rest" || step.kind === "wait") await bell.wait(step.delayMs, signal);
      else await attempt(step);
    }
    reached.reject(endedError());
  }

  async function attempt(step: CallStep): Promise<void> {
    const isRetry = failing?.call === step.kind;
    const call = () => {
      progress = begun(progress, step);
      return makeCall(step, progress, { kv, key, ttlSeconds, signal, isRetry });
    };
    try {
      take(await inTurn(call, { kind: step.kind, signal }));
      if (failing?.call !== step.kind) return;
      onEvent({ kind: "recovered", ...failing });
      failing = undefined;
    } catch (error) {
      if (!signal.aborted) await backOff(step.kind, error);
    }
  }

  function take({ progress: next, event }: Advance): void {
    const { lease } = progress;
    progress = next;
    if (event?.kind === "lost") returnAtMs = performance.now() + event.returnInMs;
    if (event !== undefined) onEvent(event);
    if (progress.lease?.version === wanted.version) reached.resolve(progress.revision);
    if (event?.kind !== "taken") return;
    taken.resolve(event.leaseId);
    if (lease !== undefined) revokeLease(kv, lease.id, { limitMs: UNARY_LIMIT_MS }).catch(() => {});
    stop.abort();
  }

  async function backOff(call: RegistrationCall, error: unknown): Promise<void> {
    const attempts = failing?.call === call ? failing.attempts + 1 : 1;
    failing = { call, attempts };
    const retryInMs = backoffDelay({ ...RETRY, attempt: attempts, random: Math.random() });
    onEvent({ kind: "failing", call, error, attempt: attempts, retryInMs });
    await bell.wait(retryInMs, signal);
  }

  function want(value: string | undefined): Promise<bigint> {
    const next = handled(Promise.withResolvers<bigint>());
    // A value that is replaced before it was put is settled by its successor.
    next.promise.then(reached.resolve, reached.reject);
    reached = next;
    wanted = { value, version: wanted.version + 1 };
    if (signal.aborted) reached.reject(endedError());
    // The spread after an outage does not delay an update.
    returnAtMs = 0;
    bell.ring();
    return reached.promise;
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

  const running = run();
  return {
    taken: taken.promise,
    state: () => signal.aborted ? { kind: "ended" } : stateOf(progress, wanted),
    update: want,
    withdraw: () => want(undefined),
    remove: ({ limitMs = UNARY_LIMIT_MS } = {}) => removal ??= revoke(limitMs),
  };
}

/** Callers that do not wait for what they asked for need not handle its failure either. */
function handled<T>(resolvers: PromiseWithResolvers<T>): PromiseWithResolvers<T> {
  resolvers.promise.catch(() => {});
  return resolvers;
}
