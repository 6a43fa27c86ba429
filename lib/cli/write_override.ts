import type { Etcd3 } from "etcd3";
import { ControllerError } from "../util/errors.ts";
import type { OperatorAction } from "./options.ts";
import { changedOverride } from "./override.ts";

/** How an override was changed. */
export interface WriteOverrideResult {
  /** Of this change, or of the last one if nothing had to be changed. Undefined: there is no override. */
  readonly revision: bigint | undefined;
  /** The revision of the store when the key was read. */
  readonly readAt: bigint;
  readonly changed: boolean;
  readonly clusterId: string;
  /** Whether the server is registered. */
  readonly hasEntry: boolean;
}

/** An attempt fails only when another client changes the same key meanwhile. */
const ATTEMPTS = 10;

/**
 * Changes an override, in a transaction that fails if the key has changed since it was read.
 *
 * @throws {ControllerError} (transient) when other clients keep changing it, or whatever etcd3 throws
 */
export async function writeOverride(
  kv: Etcd3,
  { key, entryKey }: { readonly key: string; readonly entryKey: string },
  action: OperatorAction,
): Promise<WriteOverrideResult> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { kvs: [item], header } = await kv.get(key).exec();
    const hasEntry = (await kv.get(entryKey).exec()).kvs.length > 0;
    const found = { readAt: BigInt(header.revision), clusterId: header.cluster_id, hasEntry };
    const current = item?.value.toString();
    const value = changedOverride(current, action);
    if (value === current) return { ...found, changed: false, revision: item && BigInt(item.mod_revision) };
    const write = value === undefined ? kv.delete().key(key) : kv.put(key).value(value);
    const done = await kv.if(key, "Mod", "==", item?.mod_revision ?? "0").then(write).commit();
    if (done.succeeded) return { ...found, changed: true, revision: BigInt(done.header.revision) };
  }
  throw new ControllerError("transient", `other clients keep changing ${key}`);
}
