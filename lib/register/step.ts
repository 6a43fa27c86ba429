import type { Lease } from "../etcd/lease.ts";

/** The lease of a registration, and what is known of its key. Times are milliseconds of `performance.now()`. */
export interface RegistrationLease extends Lease {
  /** When etcd last told what the key holds. */
  readonly checkedAtMs: number;
  /** The version of the wanted value that etcd holds under this lease; `undefined`: none yet. */
  readonly version: number | undefined;
  /** The key's revision as this registration put it; 0: it put none, or the key is gone. */
  readonly modRevision: bigint;
}

/** What a registration is asked for: a value, or no key. */
export interface Wanted {
  readonly value: string | undefined;
  readonly version: number;
}

/** The next step of a registration. */
export type RegistrationStep =
  | { readonly kind: "grant" }
  | { readonly kind: "renew"; readonly lease: RegistrationLease }
  | {
    readonly kind: "put";
    readonly lease: RegistrationLease;
    readonly value: string;
    readonly version: number;
  }
  | { readonly kind: "withdraw"; readonly lease: RegistrationLease; readonly version: number }
  | { readonly kind: "check"; readonly lease: RegistrationLease }
  | { readonly kind: "wait"; readonly delayMs: number }
  /** Nothing is wanted and there is no lease: waits until that changes. */
  | { readonly kind: "rest"; readonly delayMs: typeof Infinity };

/**
 * Decides the next step. A renewal that is due comes before a put: where etcd refuses puts (no space left, no permission)
 * it may still renew, and an old value is better than none. The key is checked after each renewal, so that a deleted one
 * is put back.
 *
 * @param returnAtMs a lease that has ended is not granted again before
 */
export function nextRegistrationStep(
  { lease, wanted, returnAtMs, nowMs }: {
    readonly lease: RegistrationLease | undefined;
    readonly wanted: Wanted;
    readonly returnAtMs: number;
    readonly nowMs: number;
  },
): RegistrationStep {
  const { value, version } = wanted;
  if (lease === undefined) {
    if (value === undefined) return { kind: "rest", delayMs: Infinity };
    return nowMs < returnAtMs ? { kind: "wait", delayMs: returnAtMs - nowMs } : { kind: "grant" };
  }
  if (nowMs >= lease.renewAtMs) return { kind: "renew", lease };
  if (lease.version !== version) {
    return value === undefined
      ? { kind: "withdraw", lease, version }
      : { kind: "put", lease, value, version };
  }
  if (value !== undefined && lease.checkedAtMs < lease.renewedAtMs) return { kind: "check", lease };
  return { kind: "wait", delayMs: lease.renewAtMs - nowMs };
}
