/** What happened to a registration, in the order in which it happened. */
export type RegistrationEvent =
  /** The key was put under a new lease, or again after it was gone. */
  | { readonly kind: "registered"; readonly leaseId: string; readonly revision: bigint }
  /** A new value was put under the same lease. */
  | { readonly kind: "updated"; readonly revision: bigint }
  /** The key was deleted because nothing is wanted; the registration continues. */
  | { readonly kind: "withdrawn"; readonly revision: bigint }
  /** etcd says that the lease has ended, and the key with it. It is granted again after a moment. */
  | { readonly kind: "lost"; readonly leaseId: string; readonly returnInMs: number }
  /** The key was deleted by another client. It is put back at once. */
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
   * Not wanted and gone; `revision` is that of the last change, 0 if there was none. Undefined: it is not known, because
   * the key went with its lease, by another client or by a deletion whose answer was lost.
   */
  | { readonly kind: "withdrawn"; readonly revision: bigint | undefined }
  | { readonly kind: "ended" };

/** How a removal ended. */
export type Removal =
  /** The key is gone; `revision` is that of its deletion, if this call deleted it. */
  | { readonly kind: "removed"; readonly revision: bigint | undefined }
  /** etcd could not be told: the key goes when its lease ends. */
  | { readonly kind: "expiring"; readonly error: unknown };

/** How deregistering a server ended; then its process may stop. */
export type Deregistration =
  /** Every live node has stopped sending to it, and has no request of its own left at it. */
  | { readonly kind: "acknowledged"; readonly nodes: readonly string[]; readonly tookMs: number }
  /** It was not registered: no node knows it. */
  | { readonly kind: "unregistered" }
  /** No node is alive. */
  | { readonly kind: "nobody" }
  /** The time is up, and these nodes have not acknowledged; some have no lease that would end with them. */
  | { readonly kind: "late"; readonly nodes: readonly string[]; readonly withoutLease: readonly string[] }
  /** The nodes could not be told, or not be asked; the time is up. */
  | { readonly kind: "unknown"; readonly reason: string }
  /** A second signal ended the wait. */
  | { readonly kind: "hurried" };

/** What happens while a process is kept registered, for the log. */
export type RegisterEvent =
  | RegistrationEvent
  /** No endpoint of etcd can be connected to, so the own address is not known yet. `attempt` counts from 1. */
  | { readonly kind: "unreachable"; readonly error: unknown; readonly attempt: number }
  /** Nodes reject the own address unless they are told otherwise. */
  | { readonly kind: "unusual-address"; readonly reason: string }
  | { readonly kind: "health"; readonly passes: boolean }
  /** The nodes are asked to drain the server from now on. */
  | { readonly kind: "leaving" }
  | { readonly kind: "drained"; readonly end: Deregistration }
  | Removal;
