import type { Etcd3 } from "etcd3";
import { grantLease, isLeaseEnded, keepLease } from "../etcd/lease.ts";
import { changeIf, findKey } from "./key.ts";
import { type Advance, found, granted, lost, type Progress, put, withdrawn } from "./progress.ts";
import type { RegistrationLease, RegistrationStep } from "./step.ts";

/** A step that asks etcd for something. */
export type CallStep = Exclude<RegistrationStep, { kind: "wait" | "rest" }>;

/** What calls are about. */
export interface CallOptions {
  readonly kv: Etcd3;
  readonly key: string;
  readonly ttlSeconds: number;
  readonly signal: AbortSignal;
  /** The same call has just failed. */
  readonly isRetry: boolean;
}

/** etcd's client tries three endpoints within this time. */
export const UNARY_LIMIT_MS = 3_000;
/** A lease that ended is granted again within this time, so that registrations that an outage ended do not all return at once. */
const RETURN_WITHIN_MS = 3_000;

/** Makes the call of a step, once. */
export async function makeCall(step: CallStep, progress: Progress, options: CallOptions): Promise<Advance> {
  const { kv, key, ttlSeconds, signal, isRetry } = options;
  const bounds = { limitMs: UNARY_LIMIT_MS, signal };
  switch (step.kind) {
    case "grant":
      return granted(progress, await grantLease(kv, ttlSeconds, bounds));
    case "renew": {
      const lease = await keepLease(kv, step.lease, { signal, isRetry });
      return lease === undefined ? ended(progress, step.lease) : { progress: { ...progress, lease } };
    }
    case "put":
      return await tryPut(step, progress, options);
    case "withdraw":
      return await withdraw(step, progress, options);
    case "check": {
      const lease = { ...step.lease, checkedAtMs: performance.now() };
      return found(progress, { lease, key: await findKey(kv, key, bounds) });
    }
  }
}

async function tryPut(
  step: CallStep & { kind: "put" },
  before: Progress,
  { kv, key, signal }: CallOptions,
): Promise<Advance> {
  const { lease, value } = step;
  const request = kv.put(key).value(value).lease(lease.id);
  const bounds = { limitMs: UNARY_LIMIT_MS, signal };
  try {
    const change = await changeIf(kv, { key, modRevision: lease.modRevision, request }, bounds);
    const atMs = performance.now();
    if (change.kind === "changed") return put(before, step, { revision: change.revision, atMs });
    // An earlier try of the same put may have taken effect, its answer lost.
    const isPut = change.found?.leaseId === lease.id && change.found.value === value;
    return isPut
      ? put(before, step, { revision: change.found.modRevision, atMs })
      : found(before, { lease, key: change.found });
  } catch (error) {
    if (isLeaseEnded(error)) return ended(before, lease);
    throw error;
  }
}

async function withdraw(
  step: CallStep & { kind: "withdraw" },
  progress: Progress,
  { kv, key, signal }: CallOptions,
): Promise<Advance> {
  const { lease, lease: { modRevision } } = step;
  const gone = (deleted?: bigint) => withdrawn(progress, step, { deleted, atMs: performance.now() });
  if (!progress.attempted) return gone();
  const request = kv.delete().key(key);
  const change = await changeIf(kv, { key, modRevision, request }, { limitMs: UNARY_LIMIT_MS, signal });
  if (change.kind === "refused" && change.found !== undefined) {
    return found(progress, { lease, key: change.found });
  }
  return gone(change.kind === "changed" && modRevision > 0n ? change.revision : undefined);
}

function ended(progress: Progress, lease: RegistrationLease): Advance {
  const returnInMs = Math.round(Math.random() * Math.min(lease.ttlMs / 3, RETURN_WITHIN_MS));
  return lost(progress, { lease, returnInMs });
}
