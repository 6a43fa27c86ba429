/** What is known of the lease that a registration holds. Times are of one monotonic clock. */
export interface HeldLease {
  readonly id: string;
  readonly ttlMs: number;
  readonly renewedAtMs: number;
  /** The version of the value that was put under this lease; `undefined` before the first put. */
  readonly putVersion: number | undefined;
}

/** The one thing that a registration has to do next. */
export type RegistrationStep =
  | { readonly kind: "grant" }
  | { readonly kind: "renew"; readonly lease: HeldLease }
  | { readonly kind: "put"; readonly lease: HeldLease }
  | { readonly kind: "wait"; readonly delayMs: number };

/**
 * Decides the next step. A renewal that is due goes before a put: where etcd refuses puts (no space left, no
 * permission) it may still renew, and the value that stands there is better than none.
 */
export function nextRegistrationStep(
  { lease, wantedVersion, nowMs }: {
    readonly lease: HeldLease | undefined;
    readonly wantedVersion: number;
    readonly nowMs: number;
  },
): RegistrationStep {
  if (lease === undefined) return { kind: "grant" };
  const renewInMs = lease.renewedAtMs + lease.ttlMs / 3 - nowMs;
  if (renewInMs <= 0) return { kind: "renew", lease };
  if (lease.putVersion !== wantedVersion) return { kind: "put", lease };
  return { kind: "wait", delayMs: renewInMs };
}
