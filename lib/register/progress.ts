import type { Lease } from "../etcd/lease.ts";
import type { RegistrationEvent, RegistrationState } from "./events.ts";
import type { RegistrationLease, RegistrationStep, Wanted } from "./step.ts";

/** How far a registration has come: its lease, its key, and its own changes. */
export interface Progress {
  readonly lease: RegistrationLease | undefined;
  /** Every lease that it has had: the answer to a put under one of them may have been lost. */
  readonly ownLeases: ReadonlySet<string>;
  /** The revision of its last change; 0: it made none. */
  readonly revision: bigint;
  /** Whether `revision` is that of the key's last change. */
  readonly isCertain: boolean;
  /** A put was tried, so the key may be there. */
  readonly attempted: boolean;
}

export const NO_PROGRESS: Progress = {
  lease: undefined,
  ownLeases: new Set(),
  revision: 0n,
  isCertain: true,
  attempted: false,
};

/** What an answer of etcd leads to. */
export interface Advance {
  readonly progress: Progress;
  readonly event?: RegistrationEvent;
}

/** A key as etcd holds it. */
export interface FoundKey {
  readonly value: string;
  /** `0`: attached to no lease. */
  readonly leaseId: string;
  readonly modRevision: bigint;
}

type PutStep = RegistrationStep & { readonly kind: "put" };
type WithdrawStep = RegistrationStep & { readonly kind: "withdraw" };

/** A call begins. A put may take effect even when its answer is lost. */
export function begun(progress: Progress, step: RegistrationStep): Progress {
  return step.kind === "put" ? { ...progress, attempted: true, isCertain: false } : progress;
}

/** etcd granted a lease. */
export function granted(progress: Progress, lease: Lease): Advance {
  return {
    progress: {
      ...progress,
      lease: { ...lease, checkedAtMs: lease.renewedAtMs, version: undefined, modRevision: 0n },
      ownLeases: new Set([...progress.ownLeases, lease.id]),
    },
  };
}

/** The lease has ended, and its key went with it. */
export function lost(
  progress: Progress,
  { lease, returnInMs }: { readonly lease: RegistrationLease; readonly returnInMs: number },
): Advance {
  const isCertain = progress.isCertain && lease.modRevision === 0n;
  return {
    progress: { ...progress, lease: undefined, isCertain },
    event: { kind: "lost", leaseId: lease.id, returnInMs },
  };
}

/** The key was put. */
export function put(
  progress: Progress,
  { lease, version }: PutStep,
  { revision, atMs }: { readonly revision: bigint; readonly atMs: number },
): Advance {
  return {
    progress: {
      ...progress,
      revision,
      isCertain: true,
      lease: { ...lease, version, modRevision: revision, checkedAtMs: atMs },
    },
    event: lease.modRevision === 0n
      ? { kind: "registered", leaseId: lease.id, revision }
      : { kind: "updated", revision },
  };
}

/** The key is gone; `deleted` is the revision of its deletion, if this call deleted it. */
export function withdrawn(
  progress: Progress,
  { lease, version }: WithdrawStep,
  { deleted, atMs }: { readonly deleted: bigint | undefined; readonly atMs: number },
): Advance {
  const wasThere = lease.modRevision > 0n;
  const revision = deleted ?? progress.revision;
  return {
    progress: {
      ...progress,
      revision,
      isCertain: deleted !== undefined || progress.isCertain && !wasThere,
      lease: { ...lease, version, modRevision: 0n, checkedAtMs: atMs },
    },
    ...(wasThere ? { event: { kind: "withdrawn", revision } } : {}),
  };
}

/** The key was checked, or a change was refused. If it differs, the wanted value is put again, unless another owns the key. */
export function found(
  progress: Progress,
  { lease, key }: { readonly lease: RegistrationLease; readonly key: FoundKey | undefined },
): Advance {
  if (key !== undefined && !progress.ownLeases.has(key.leaseId)) {
    return { progress: { ...progress, lease: undefined }, event: { kind: "taken", leaseId: key.leaseId } };
  }
  if (key?.modRevision === lease.modRevision) return { progress: { ...progress, lease } };
  const isDeleted = key === undefined && lease.modRevision > 0n;
  return {
    progress: {
      ...progress,
      isCertain: progress.isCertain && !isDeleted,
      lease: { ...lease, version: undefined, modRevision: key?.modRevision ?? 0n },
    },
    ...(isDeleted ? { event: { kind: "deleted" } } : {}),
  };
}

/** What this process knows of its key until the registration ends. */
export function stateOf(progress: Progress, wanted: Wanted): RegistrationState {
  const { lease, revision, isCertain, attempted } = progress;
  const reached = lease?.version === wanted.version;
  if (wanted.value === undefined) {
    return reached || lease === undefined
      ? { kind: "withdrawn", revision: isCertain ? revision : undefined }
      : { kind: "connecting", attempted };
  }
  return lease !== undefined && reached
    ? { kind: "registered", leaseId: lease.id, revision }
    : { kind: "connecting", attempted };
}
