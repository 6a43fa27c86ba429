import type { Etcd3 } from "etcd3";
import { backoffDelay } from "../backoff.ts";
import { ControllerError } from "../errors.ts";
import { CALL_DEADLINE_MS } from "./client.ts";
import { grantLease, isLeaseEnded, renewLease, revokeLease } from "./lease.ts";
import type {
  RegistrationCall,
  RegistrationEnd,
  RegistrationEvent,
  RegistrationState,
  Removal,
} from "./registration_events.ts";
import { deleteIf, findKey, putIf } from "./registration_key.ts";
import {
  claimOf,
  type FoundKey,
  type HeldLease,
  nextRegistrationStep,
  type RegistrationStep,
  type Wanted,
} from "./registration_step.ts";
import { turnsOf } from "./turns.ts";

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
/** etcd's client tries three endpoints within this time. */
const UNARY_LIMIT_MS = 3_000;
/** A lease that has ended is granted again within this time: many registrations that an outage ended do not return in one instant. */
const RETURN_WITHIN_MS = 3_000;

interface Waiter {
  readonly version: number;
  readonly resolve: (revision: bigint) => void;
  readonly reject: (error: Error) => void;
}

type Call = Exclude<RegistrationStep, { kind: "wait" | "rest" }>;

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
  const ownLeases = new Set<string>();
  let wanted: Wanted = { value: options.value, version: 1 };
  let lease: HeldLease | undefined;
  let returnAtMs = 0;
  let revision = 0n;
  /** Whether `revision` is that of the key's last change. */
  let isCertain = true;
  let attempted = false;
  let failing: { readonly call: RegistrationCall; readonly attempts: number } | undefined;
  let waiters: Waiter[] = [];
  let removal: Promise<Removal> | undefined;
  let wake = () => {};

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const step = nextRegistrationStep({ lease, wanted, returnAtMs, nowMs: performance.now() });
      if (step.kind === "rest") await rest();
      else if (step.kind === "wait") await sleep(step.delayMs);
      else await attempt(step);
    }
    end({ kind: stop.signal.aborted ? "removed" : "aborted" });
    for (const { reject } of waiters) reject(endedError(key));
  }

  async function attempt(step: Call): Promise<void> {
    try {
      await inTurn(() => take(step), signal);
      if (failing?.call === step.kind) recover(failing);
    } catch (error) {
      if (!signal.aborted) await backOff(step.kind, error);
    }
  }

  function take(step: Call): Promise<void> {
    switch (step.kind) {
      case "grant":
        return grant();
      case "renew":
        return renew(step.lease);
      case "put":
        return put(step);
      case "withdraw":
        return withdrawKey(step);
      case "check":
        return check(step.lease);
    }
  }

  async function grant(): Promise<void> {
    const askedAtMs = performance.now();
    const granted = await grantLease(kv, ttlSeconds, unaryBounds());
    const ttlMs = granted.ttlSeconds * 1_000;
    ownLeases.add(granted.id);
    lease = {
      id: granted.id,
      ttlMs,
      renewedAtMs: askedAtMs,
      renewAfterMs: renewAfter(ttlMs),
      checkedAtMs: askedAtMs,
      version: undefined,
      modRevision: 0n,
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
    else lease = { ...held, renewedAtMs: askedAtMs, renewAfterMs: renewAfter(held.ttlMs) };
  }

  async function put(step: Call & { kind: "put" }): Promise<void> {
    const { lease: held, value } = step;
    attempted = true;
    isCertain = false;
    try {
      const leaseId = held.id;
      const change = await putIf(kv, expected(held), { value, leaseId, bounds: unaryBounds() });
      const putAt = change.kind === "changed" ? change.revision : putBefore(change.found, step);
      if (putAt !== undefined) reach(step, { revision: putAt, modRevision: putAt });
      else if (change.kind === "refused") reclaim(held, change.found);
    } catch (error) {
      if (!isLeaseEnded(error)) throw error;
      lose(held);
    }
  }

  async function withdrawKey(step: Call & { kind: "withdraw" }): Promise<void> {
    const { lease: held } = step;
    if (!attempted) return reach(step, { revision, modRevision: 0n });
    const change = await deleteIf(kv, expected(held), unaryBounds());
    if (change.kind === "refused" && change.found !== undefined) return reclaim(held, change.found);
    const isDeleted = change.kind === "changed" && held.modRevision > 0n;
    isCertain = isDeleted || isCertain && held.modRevision === 0n;
    reach(step, { revision: isDeleted ? change.revision : revision, modRevision: 0n });
  }

  async function check(held: HeldLease): Promise<void> {
    const checkedAtMs = performance.now();
    const found = await findKey(kv, key, unaryBounds());
    if (found?.modRevision === held.modRevision) lease = { ...held, checkedAtMs };
    else reclaim({ ...held, checkedAtMs }, found);
  }

  /** The key is not as it was left. What is wanted is brought to it again, unless it belongs to somebody else. */
  function reclaim(held: HeldLease, found: FoundKey | undefined): void {
    const claim = claimOf(found, ownLeases);
    if (claim.kind === "taken") return giveUp(held, claim.leaseId);
    if (claim.kind === "free" && held.modRevision > 0n) {
      isCertain = false;
      onEvent({ kind: "deleted" });
    }
    lease = { ...held, version: undefined, modRevision: found?.modRevision ?? 0n };
  }

  function giveUp(held: HeldLease, leaseId: string): void {
    end({ kind: "taken", leaseId });
    onEvent({ kind: "taken", leaseId });
    revokeLease(kv, held.id, { limitMs: UNARY_LIMIT_MS }).catch(() => {});
    lease = undefined;
    stop.abort();
  }

  /** What was wanted stands in etcd. */
  function reach(
    step: Call & { kind: "put" | "withdraw" },
    at: { revision: bigint; modRevision: bigint },
  ): void {
    const { lease: held, version } = step;
    ({ revision } = at);
    if (step.kind === "put") isCertain = true;
    lease = { ...held, version, modRevision: at.modRevision, checkedAtMs: performance.now() };
    if (step.kind === "put" && held.modRevision === 0n) {
      onEvent({ kind: "registered", leaseId: held.id, revision });
    } else if (step.kind === "put") onEvent({ kind: "updated", revision });
    else if (held.modRevision > 0n) onEvent({ kind: "withdrawn", revision });
    settle(version);
  }

  function settle(version: number): void {
    const settled = waiters.filter((waiter) => waiter.version <= version);
    waiters = waiters.filter((waiter) => waiter.version > version);
    for (const { resolve } of settled) resolve(revision);
  }

  function lose(held: HeldLease): void {
    lease = undefined;
    if (held.modRevision > 0n) isCertain = false;
    const returnInMs = Math.round(Math.random() * Math.min(held.ttlMs / 3, RETURN_WITHIN_MS));
    returnAtMs = performance.now() + returnInMs;
    onEvent({ kind: "lost", leaseId: held.id, returnInMs });
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
    settle(wanted.version);
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
    const { promise, resolve, reject } = Promise.withResolvers<bigint>();
    // A caller who does not wait for the put need not handle its failure either.
    promise.catch(() => {});
    if (signal.aborted) {
      reject(endedError(key));
      return promise;
    }
    wanted = { value, version: wanted.version + 1 };
    // Who asks for something does not come with the crowd.
    returnAtMs = 0;
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
    const reached = lease?.version === wanted.version;
    if (wanted.value === undefined) {
      return reached || lease === undefined
        ? { kind: "withdrawn", revision: isCertain ? revision : undefined }
        : { kind: "waiting", attempted };
    }
    return lease !== undefined && reached
      ? { kind: "registered", leaseId: lease.id, revision }
      : { kind: "waiting", attempted };
  }

  function expected({ modRevision }: HeldLease) {
    return { key, modRevision };
  }

  function unaryBounds() {
    return { limitMs: UNARY_LIMIT_MS, signal };
  }

  signal.addEventListener("abort", () => wake(), { once: true });
  const running = run();
  return {
    key,
    ended,
    state,
    update: want,
    withdraw: () => want(undefined),
    remove: ({ limitMs = UNARY_LIMIT_MS } = {}) => removal ??= revoke(limitMs),
  };
}

/** The revision at which an earlier try of a put took effect whose answer was lost; `undefined` if none did. */
function putBefore(
  found: FoundKey | undefined,
  { lease, value }: RegistrationStep & { kind: "put" },
): bigint | undefined {
  return found?.leaseId === lease.id && found.value === value ? found.modRevision : undefined;
}

/** Registrations that began together do not go on renewing together. */
function renewAfter(ttlMs: number): number {
  return ttlMs / 3 * (1 - Math.random() / 4);
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
