/** What happened to a registration, in the order in which it happened. */
export type RegistrationEvent =
  /** The key was put under a new lease, or again after it was gone. */
  | { readonly kind: "registered"; readonly leaseId: string; readonly revision: bigint }
  /** A new value was put under the same lease. */
  | { readonly kind: "updated"; readonly revision: bigint }
  /** The key was deleted because nothing is wanted; the registration goes on. */
  | { readonly kind: "withdrawn"; readonly revision: bigint }
  /** etcd says that the lease has ended, and the key with it. It is granted again after a moment. */
  | { readonly kind: "lost"; readonly leaseId: string; readonly returnInMs: number }
  /** Somebody deleted the key. It is put back at once. */
  | { readonly kind: "deleted" }
  /** The key belongs to another lease (`0`: to none). It was left as it is, and the registration has ended. */
  | { readonly kind: "taken"; readonly leaseId: string }
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

export type RegistrationCall = "grant" | "renew" | "put" | "withdraw" | "check";

/** What this process knows of its key, without asking etcd. */
export type RegistrationState =
  /** Wanted, and not known to be in etcd. `attempted`: a put was tried, so it may be there. */
  | { readonly kind: "connecting"; readonly attempted: boolean }
  | { readonly kind: "registered"; readonly leaseId: string; readonly revision: bigint }
  /**
   * Not wanted and gone; `revision` is that of the last change, 0 if there was none. Undefined: the key went at one that
   * etcd did not tell, with its lease, by somebody else or by a deletion whose answer was lost.
   */
  | { readonly kind: "withdrawn"; readonly revision: bigint | undefined }
  | { readonly kind: "ended" };

/** Why a registration ended. */
export type RegistrationEnd =
  | { readonly kind: "removed" }
  /** Another lease owns the key; `0`: it was put without one. */
  | { readonly kind: "taken"; readonly leaseId: string }
  /** By the signal in its options. */
  | { readonly kind: "aborted" };

/** How a removal ended. */
export type Removal =
  /** The key is gone; `revision` is that of its deletion, if this call deleted it. */
  | { readonly kind: "removed"; readonly revision: bigint | undefined }
  /** etcd could not be told: the key goes when its lease ends. */
  | { readonly kind: "expiring"; readonly error: unknown };
