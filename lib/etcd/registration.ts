import type { Etcd3 } from "etcd3";
import { backoffDelay } from "../backoff.ts";
import { ControllerError } from "../errors.ts";
import { bounded } from "./bounded.ts";
import { CALL_DEADLINE_MS } from "./client.ts";
import { grantLease, isLeaseEnded, renewLease, revokeLease } from "./lease.ts";
import { type HeldLease, nextRegistrationStep, type RegistrationStep } from "./registration_step.ts";

/** What to keep registered, and where. */
export interface RegistrationOptions {
  readonly kv: Etcd3;
  readonly key: string;
  readonly value: string;
  /** The key is gone this long after its process was last heard of. etcd may grant more. */
  readonly ttlSeconds: number;
  readonly onEvent?: (event: RegistrationEvent) => void;
  /** Ends the registration without removing the key: it goes when its lease ends. */
  readonly signal?: AbortSignal;
}

/** What happened to a registration, in the order in which it happened. */
export type RegistrationEvent =
  /** The key was put under a new lease: for the first time, or again after `lost`. */
  | { readonly kind: "registered"; readonly leaseId: string; readonly revision: bigint }
  /** A new value was put under the same lease. */
  | { readonly kind: "updated"; readonly revision: bigint }
  /** etcd says that the lease has ended, and the key with it. It is granted again at once. */
  | { readonly kind: "lost"; readonly leaseId: string }
  /** A call failed and will be made again. `attempt` counts from 1. */
  | {
    readonly kind: "failing";
    readonly call: RegistrationCall;
    readonly error: unknown;
    readonly attempt: number;
    readonly retryInMs: number;
  }
  /** A call that was failing succeeded. */
  | { readonly kind: "recovered"; readonly call: RegistrationCall; readonly attempts: number };

export type RegistrationCall = "grant" | "renew" | "put";

/** What this process knows of its key, without asking etcd. */
export type RegistrationState =
  /** Not in etcd yet, or no longer. */
  | { readonly kind: "waiting" }
  | { readonly kind: "registered"; readonly leaseId: string; readonly revision: bigint }
  | { readonly kind: "ended" };

/** How a removal ended. */
export type Removal =
  /** The key is gone; `revision` is that of its deletion, if this call deleted it. */
  | { readonly kind: "removed"; readonly revision: bigint | undefined }
  /** etcd could not be told: the key goes when its lease ends. */
  | { readonly kind: "left"; readonly error: unknown };

/** A key that is kept registered until it is removed. */
export interface Registration {
  state(): RegistrationState;
  /**
   * Puts a new value under the same lease, now or as soon as etcd can be reached.
   *
   * @returns the revision of the put, or of a later one if the value was replaced before it could be put
   * @throws if the registration ends before
   */
  update(value: string): Promise<bigint>;
  /** Ends the registration and deletes the key, unless another lease owns it by now. Takes at most `limitMs`. Never rejects. */
  remove(options?: { readonly limitMs?: number }): Promise<Removal>;
}

const RETRY = { minMs: 100, maxMs: 2_000 };
/** etcd's client tries three endpoints within this time. */
const UNARY_LIMIT_MS = 3_000;

interface Waiter {
  readonly version: number;
  readonly resolve: (revision: bigint) => void;
  readonly reject: (error: Error) => void;
}

/** Keeps one key registered under a lease of its own until it is removed, whatever happens to etcd or to this process. */
export function register(options: RegistrationOptions): Registration {
  const { kv, key, ttlSeconds } = options;
  const onEvent = options.onEvent ?? (() => {});
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([stop.signal, options.signal]) : stop.signal;
  let wanted = { value: options.value, version: 1 };
  let lease: HeldLease | undefined;
  let revision = 0n;
  let failing: { readonly call: RegistrationCall; readonly attempts: number } | undefined;
  let waiters: Waiter[] = [];
  let removal: Promise<Removal> | undefined;
  let wake = () => {};

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const step = nextRegistrationStep({ lease, wantedVersion: wanted.version, nowMs: performance.now() });
      if (step.kind === "wait") await sleep(step.delayMs);
      else await attempt(step);
    }
    for (const { reject } of waiters) reject(endedError(key));
  }

  async function attempt(step: Exclude<RegistrationStep, { kind: "wait" }>): Promise<void> {
    try {
      await take(step);
      if (failing?.call === step.kind) recover(failing);
    } catch (error) {
      if (!signal.aborted) await backOff(step.kind, error);
    }
  }

  function take(step: Exclude<RegistrationStep, { kind: "wait" }>): Promise<void> {
    switch (step.kind) {
      case "grant":
        return grant();
      case "renew":
        return renew(step.lease);
      case "put":
        return put(step.lease);
    }
  }

  async function grant(): Promise<void> {
    const askedAtMs = performance.now();
    const granted = await grantLease(kv, ttlSeconds, { limitMs: UNARY_LIMIT_MS, signal });
    lease = {
      id: granted.id,
      ttlMs: granted.ttlSeconds * 1_000,
      renewedAtMs: askedAtMs,
      putVersion: undefined,
    };
  }

  async function renew(held: HeldLease): Promise<void> {
    const askedAtMs = performance.now();
    const bounds = { limitMs: Math.min(CALL_DEADLINE_MS, Math.floor(held.ttlMs / 3)), signal };
    // The endpoint is picked at random: on a retry two are asked, or it could be the hanging one again and again.
    const streams = failing?.call === "renew" ? 2 : 1;
    const renewal = await firstOf(
      Array.from({ length: streams }, () => renewLease(kv, held.id, bounds)),
    );
    if (renewal === "ended") lose(held);
    else lease = { ...held, renewedAtMs: askedAtMs };
  }

  async function put(held: HeldLease): Promise<void> {
    const { value, version } = wanted;
    try {
      const call = kv.put(key).value(value).lease(held.id).exec();
      const { header } = await bounded(call, { limitMs: UNARY_LIMIT_MS, signal });
      revision = BigInt(header.revision);
    } catch (error) {
      if (isLeaseEnded(error)) lose(held);
      throw error;
    }
    lease = { ...held, putVersion: version };
    onEvent(
      held.putVersion === undefined
        ? { kind: "registered", leaseId: held.id, revision }
        : { kind: "updated", revision },
    );
    settle(version);
  }

  function settle(version: number): void {
    const settled = waiters.filter((waiter) => waiter.version <= version);
    waiters = waiters.filter((waiter) => waiter.version > version);
    for (const { resolve } of settled) resolve(revision);
  }

  function lose(held: HeldLease): void {
    lease = undefined;
    onEvent({ kind: "lost", leaseId: held.id });
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

  /** Ends early on an update or when the registration ends. */
  function sleep(delayMs: number): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, delayMs);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  }

  function update(value: string): Promise<bigint> {
    const { promise, resolve, reject } = Promise.withResolvers<bigint>();
    // A caller who does not wait for the put need not handle its failure either.
    promise.catch(() => {});
    if (signal.aborted) {
      reject(endedError(key));
      return promise;
    }
    wanted = { value, version: wanted.version + 1 };
    waiters.push({ version: wanted.version, resolve, reject });
    wake();
    return promise;
  }

  async function revoke(limitMs: number): Promise<Removal> {
    stop.abort();
    await running;
    if (lease === undefined) return { kind: "removed", revision: undefined };
    try {
      return { kind: "removed", revision: await revokeLease(kv, lease.id, { limitMs }) };
    } catch (error) {
      return { kind: "left", error };
    }
  }

  function state(): RegistrationState {
    if (signal.aborted) return { kind: "ended" };
    if (lease?.putVersion === undefined) return { kind: "waiting" };
    return { kind: "registered", leaseId: lease.id, revision };
  }

  signal.addEventListener("abort", () => wake(), { once: true });
  const running = run();
  return { state, update, remove: ({ limitMs = UNARY_LIMIT_MS } = {}) => removal ??= revoke(limitMs) };
}

/** The first answer; if there is none, the first failure. */
async function firstOf<T>(calls: readonly Promise<T>[]): Promise<T> {
  try {
    return await Promise.any(calls);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}

function endedError(key: string): ControllerError {
  return new ControllerError("operator", `Cannot update ${key}: its registration has ended`);
}
