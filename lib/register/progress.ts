import type { RegistrationEvent, RegistrationState } from "./events.ts";
import {
  type FoundKey,
  keyOwnerOf,
  type RegistrationLease,
  type RegistrationStep,
  type Wanted,
} from "./step.ts";

/** How far a registration has come: its lease, its key, and what is known of the changes that it made. */
export interface Progress {
  readonly lease: RegistrationLease | undefined;
  /** Every lease that it has had: the answer to a put under one of them may have been lost. */
  readonly ownLeases: ReadonlySet<string>;
  /** A lease that has ended is not granted again before. */
  readonly returnAtMs: number;
  /** That of the last change that it made; 0: it made none. */
  readonly revision: bigint;
  /** Whether `revision` is that of the key's last change. */
  readonly isCertain: boolean;
  /** A put was tried, so the key may be there. */
  readonly attempted: boolean;
}

export const NO_PROGRESS: Progress = {
  lease: undefined,
  ownLeases: new Set(),
  returnAtMs: 0,
  revision: 0n,
  isCertain: true,
  attempted: false,
};

/** What etcd answered to one step. */
export type StepResult =
  | { readonly kind: "granted"; readonly lease: RegistrationLease }
  /** The lease was renewed, or its key stands as it was left; `lease` says when. */
  | { readonly kind: "kept"; readonly lease: RegistrationLease }
  /** The lease exists no longer, and its key went with it. */
  | {
    readonly kind: "ended";
    readonly lease: RegistrationLease;
    readonly returnInMs: number;
    readonly atMs: number;
  }
  | {
    readonly kind: "put";
    readonly step: RegistrationStep & { kind: "put" };
    readonly revision: bigint;
    readonly atMs: number;
  }
  /** The key is gone; `revision` is that of its deletion, if it was this one. */
  | {
    readonly kind: "withdrawn";
    readonly step: RegistrationStep & { kind: "withdraw" };
    readonly revision: bigint | undefined;
    readonly atMs: number;
  }
  /** The key is not as it was left. */
  | { readonly kind: "changed"; readonly lease: RegistrationLease; readonly found: FoundKey | undefined };

/** What a result comes to. */
export interface Advance {
  readonly progress: Progress;
  readonly event?: RegistrationEvent;
  /** The version of what is wanted that stands in etcd now. */
  readonly reached?: number;
}

/** From here on the step may take effect, whatever becomes of its answer. */
export function begun(progress: Progress, step: RegistrationStep): Progress {
  return step.kind === "put" ? { ...progress, attempted: true, isCertain: false } : progress;
}

/** Takes up what etcd answered. */
export function advance(progress: Progress, result: StepResult): Advance {
  switch (result.kind) {
    case "granted":
      return {
        progress: {
          ...progress,
          lease: result.lease,
          ownLeases: new Set([...progress.ownLeases, result.lease.id]),
        },
      };
    case "kept":
      return { progress: { ...progress, lease: result.lease } };
    case "ended":
      return ended(progress, result);
    case "put":
      return put(progress, result);
    case "withdrawn":
      return withdrawn(progress, result);
    case "changed":
      return changed(progress, result);
  }
}

function ended(progress: Progress, { lease, returnInMs, atMs }: StepResult & { kind: "ended" }): Advance {
  return {
    progress: {
      ...progress,
      lease: undefined,
      isCertain: progress.isCertain && lease.modRevision === 0n,
      returnAtMs: atMs + returnInMs,
    },
    event: { kind: "lost", leaseId: lease.id, returnInMs },
  };
}

function put(progress: Progress, { step, revision, atMs }: StepResult & { kind: "put" }): Advance {
  const { lease, version } = step;
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
    reached: version,
  };
}

function withdrawn(progress: Progress, result: StepResult & { kind: "withdrawn" }): Advance {
  const { step: { lease, version }, atMs } = result;
  const wasThere = lease.modRevision > 0n;
  const revision = result.revision ?? progress.revision;
  return {
    progress: {
      ...progress,
      revision,
      isCertain: result.revision !== undefined || progress.isCertain && !wasThere,
      lease: { ...lease, version, modRevision: 0n, checkedAtMs: atMs },
    },
    ...(wasThere ? { event: { kind: "withdrawn", revision } } : {}),
    reached: version,
  };
}

/** What is wanted is brought to the key again, unless it belongs to somebody else. */
function changed(progress: Progress, { lease, found }: StepResult & { kind: "changed" }): Advance {
  const owner = keyOwnerOf(found, progress.ownLeases);
  if (owner.kind === "taken") {
    return {
      progress: { ...progress, lease: undefined },
      event: { kind: "taken", leaseId: owner.leaseId },
    };
  }
  const isDeleted = owner.kind === "free" && lease.modRevision > 0n;
  return {
    progress: {
      ...progress,
      isCertain: progress.isCertain && !isDeleted,
      lease: { ...lease, version: undefined, modRevision: found?.modRevision ?? 0n },
    },
    ...(isDeleted ? { event: { kind: "deleted" } } : {}),
  };
}

/** What this process knows of its key while the registration goes on. */
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
