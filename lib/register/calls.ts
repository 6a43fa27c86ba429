import type { Etcd3 } from "etcd3";
import { CALL_DEADLINE_MS } from "../etcd/client.ts";
import { grantLease, isLeaseEnded, renewLease } from "../etcd/lease.ts";
import { deleteIf, findKey, putIf } from "./key.ts";
import type { StepResult } from "./progress.ts";
import type { FoundKey, RegistrationLease, RegistrationStep } from "./step.ts";

/** A step that asks etcd for something. */
export type CallStep = Exclude<RegistrationStep, { kind: "wait" | "rest" }>;

/** What calls are about. */
export interface CallOptions {
  readonly kv: Etcd3;
  readonly key: string;
  readonly ttlSeconds: number;
  readonly signal: AbortSignal;
}

/** What was before a call. */
export interface CallHistory {
  /** The same call has just failed. */
  readonly isRetry: boolean;
  /** A put was tried under the key. */
  readonly attempted: boolean;
}

/** etcd's client tries three endpoints within this time. */
export const UNARY_LIMIT_MS = 3_000;
/** A lease that has ended is granted again within this time: many registrations that an outage ended do not return in one instant. */
const RETURN_WITHIN_MS = 3_000;

/** Makes the call that a step asks for, once. */
export function makeCall(step: CallStep, history: CallHistory, options: CallOptions): Promise<StepResult> {
  switch (step.kind) {
    case "grant":
      return grant(options);
    case "renew":
      return renew(step.lease, history, options);
    case "put":
      return put(step, options);
    case "withdraw":
      return withdraw(step, history, options);
    case "check":
      return check(step.lease, options);
  }
}

async function grant({ kv, ttlSeconds, signal }: CallOptions): Promise<StepResult> {
  const askedAtMs = performance.now();
  const granted = await grantLease(kv, ttlSeconds, { limitMs: UNARY_LIMIT_MS, signal });
  const ttlMs = granted.ttlSeconds * 1_000;
  return {
    kind: "granted",
    lease: {
      id: granted.id,
      ttlMs,
      renewedAtMs: askedAtMs,
      renewAfterMs: renewAfter(ttlMs),
      checkedAtMs: askedAtMs,
      version: undefined,
      modRevision: 0n,
    },
  };
}

async function renew(
  lease: RegistrationLease,
  { isRetry }: CallHistory,
  { kv, signal }: CallOptions,
): Promise<StepResult> {
  const askedAtMs = performance.now();
  const bounds = { limitMs: Math.min(CALL_DEADLINE_MS, Math.floor(lease.ttlMs / 3)), signal };
  // The endpoint is picked at random: on a retry two are asked, or it could be the hanging one again and again.
  const streams = isRetry ? 2 : 1;
  const renewal = await firstOf(Array.from({ length: streams }, () => renewLease(kv, lease.id, bounds)));
  if (renewal === "ended") return ended(lease);
  return {
    kind: "kept",
    lease: { ...lease, renewedAtMs: askedAtMs, renewAfterMs: renewAfter(lease.ttlMs) },
  };
}

async function put(
  step: CallStep & { kind: "put" },
  { kv, key, signal }: CallOptions,
): Promise<StepResult> {
  const { lease, value } = step;
  const { id: leaseId, modRevision } = lease;
  const bounds = { limitMs: UNARY_LIMIT_MS, signal };
  try {
    const change = await putIf(kv, { key, modRevision }, { value, leaseId, bounds });
    const atMs = performance.now();
    if (change.kind === "changed") return { kind: "put", step, revision: change.revision, atMs };
    const revision = putBefore(change.found, step);
    return revision === undefined
      ? { kind: "changed", lease, found: change.found }
      : { kind: "put", step, revision, atMs };
  } catch (error) {
    if (isLeaseEnded(error)) return ended(lease);
    throw error;
  }
}

async function withdraw(
  step: CallStep & { kind: "withdraw" },
  { attempted }: CallHistory,
  { kv, key, signal }: CallOptions,
): Promise<StepResult> {
  const { lease, lease: { modRevision } } = step;
  const gone = { kind: "withdrawn", step, revision: undefined, atMs: performance.now() } as const;
  if (!attempted) return gone;
  const change = await deleteIf(kv, { key, modRevision }, { limitMs: UNARY_LIMIT_MS, signal });
  if (change.kind === "refused" && change.found !== undefined) {
    return { kind: "changed", lease, found: change.found };
  }
  const isDeleted = change.kind === "changed" && modRevision > 0n;
  return { ...gone, revision: isDeleted ? change.revision : undefined, atMs: performance.now() };
}

async function check(before: RegistrationLease, { kv, key, signal }: CallOptions): Promise<StepResult> {
  const lease = { ...before, checkedAtMs: performance.now() };
  const found = await findKey(kv, key, { limitMs: UNARY_LIMIT_MS, signal });
  return found?.modRevision === before.modRevision
    ? { kind: "kept", lease }
    : { kind: "changed", lease, found };
}

function ended(lease: RegistrationLease): StepResult {
  const returnInMs = Math.round(Math.random() * Math.min(lease.ttlMs / 3, RETURN_WITHIN_MS));
  return { kind: "ended", lease, returnInMs, atMs: performance.now() };
}

/** The revision at which an earlier try of a put took effect whose answer was lost; `undefined` if none did. */
function putBefore(
  found: FoundKey | undefined,
  { lease, value }: CallStep & { kind: "put" },
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
