import type { Etcd3 } from "etcd3";
import { ControllerError } from "../util/errors.ts";
import type { OperatorAction } from "./options.ts";
import { changeOverride } from "./override.ts";

export interface OverrideKeys {
  /** Of the override. */
  readonly key: string;
  /** Of the entry that it is about. */
  readonly entryKey: string;
}

/** How an override was changed. */
export interface WriteOverrideResult {
  /** The revision of the change; of the last one before if nothing had to be changed; undefined: the key is not there. */
  readonly revision: bigint | undefined;
  /** The revision of the store at which the key was read. */
  readonly readAt: bigint;
  readonly changed: boolean;
  readonly clusterId: string;
  /** Whether the entry is registered now. */
  readonly hasEntry: boolean;
}

/** Somebody else would have to change the same key each time. */
const ATTEMPTS = 10;

/**
 * Changes an override as an operator asks, by a transaction on the revision at which it was read.
 *
 * @throws {ControllerError} (transient) when others keep changing it, or whatever the client throws
 */
export async function writeOverride(
  kv: Etcd3,
  { key, entryKey }: OverrideKeys,
  action: OperatorAction,
): Promise<WriteOverrideResult> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { kvs: [item], header } = await kv.get(key).exec();
    const hasEntry = (await kv.get(entryKey).exec()).kvs.length > 0;
    const found = { readAt: BigInt(header.revision), clusterId: header.cluster_id, hasEntry };
    const change = changeOverride(item?.value.toString(), action);
    if (change.kind === "none") {
      return { ...found, changed: false, revision: item && BigInt(item.mod_revision) };
    }
    const write = change.kind === "delete" ? kv.delete().key(key) : kv.put(key).value(change.value);
    const done = await kv.if(key, "Mod", "==", item?.mod_revision ?? "0").then(write).commit();
    if (done.succeeded) return { ...found, changed: true, revision: BigInt(done.header.revision) };
  }
  throw new ControllerError("transient", `others keep changing ${key}`);
}
