/** One key as etcd held it. */
export interface RawEntry {
  /** The key's bytes, one character a byte (latin1), so that no two keys become one by decoding. */
  readonly key: string;
  readonly value: Uint8Array;
  readonly modRevision: bigint;
  /** False: it stays until it is deleted. */
  readonly hasLease: boolean;
}

/** What etcd held under the watched prefixes, at one revision. Never changed after it was made. */
export interface Snapshot {
  readonly revision: bigint;
  readonly entries: readonly RawEntry[];
}
