/** What is known of the lease of a registration, and of its key. Times are of one monotonic clock. */
export interface RegistrationLease {
  readonly id: string;
  readonly ttlMs: number;
  readonly renewedAtMs: number;
  /** How long after a renewal the next one is due. */
  readonly renewAfterMs: number;
  /** When etcd last said what stands under the key. */
  readonly checkedAtMs: number;
  /** The version of what is wanted that was brought to etcd under this lease; `undefined`: none yet. */
  readonly version: number | undefined;
  /** The key's revision as this registration put it; 0: it put none, or it is gone. */
  readonly modRevision: bigint;
}

/** What a registration is asked for: a value, or that its key is not there. */
export interface Wanted {
  readonly value: string | undefined;
  readonly version: number;
}

/** The one thing that a registration has to do next. */
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
  /** Nothing is wanted and there is no lease: until that changes. */
  | { readonly kind: "rest" };

/**
 * Decides the next step. A renewal that is due goes before a put: where etcd refuses puts (no space left, no
 * permission) it may still renew, and the value that stands there is better than none. After each renewal the key is
 * looked at, so that one that somebody deleted is put back.
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
    if (value === undefined) return { kind: "rest" };
    return nowMs < returnAtMs ? { kind: "wait", delayMs: returnAtMs - nowMs } : { kind: "grant" };
  }
  const renewInMs = lease.renewedAtMs + lease.renewAfterMs - nowMs;
  if (renewInMs <= 0) return { kind: "renew", lease };
  if (lease.version !== version) {
    return value === undefined
      ? { kind: "withdraw", lease, version }
      : { kind: "put", lease, value, version };
  }
  if (value !== undefined && lease.checkedAtMs < lease.renewedAtMs) return { kind: "check", lease };
  return { kind: "wait", delayMs: renewInMs };
}

/** A key as etcd holds it. */
export interface FoundKey {
  readonly value: string;
  /** `0`: attached to no lease. */
  readonly leaseId: string;
  readonly modRevision: bigint;
}

/** Whose a key is, as one registration sees it. */
export type KeyOwner =
  | { readonly kind: "free" }
  | { readonly kind: "ours"; readonly found: FoundKey }
  /** Another lease owns it, or it was put without one: it is not overwritten. */
  | { readonly kind: "taken"; readonly leaseId: string };

/**
 * Tells whose a key is.
 *
 * @param ownLeases every lease that the registration has had: the answer to a put under one of them may have been lost
 */
export function keyOwnerOf(found: FoundKey | undefined, ownLeases: ReadonlySet<string>): KeyOwner {
  if (found === undefined) return { kind: "free" };
  return ownLeases.has(found.leaseId) ? { kind: "ours", found } : { kind: "taken", leaseId: found.leaseId };
}

/** The owner of a key that is taken, in words; the lease as etcdctl writes it. */
export function ownerText(leaseId: string): string {
  return leaseId === "0"
    ? "somebody put it without a lease"
    : `lease ${BigInt(leaseId).toString(16).padStart(16, "0")} owns it`;
}
