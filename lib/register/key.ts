import type { Etcd3, IKeyValue, ITxnResponse } from "etcd3";
import { type CallBounds, within } from "../util/time.ts";
import type { FoundKey } from "./step.ts";

/** How a change of a key ended: it was made, or the key was not as expected and was left as it is. */
export type KeyChange =
  | { readonly kind: "changed"; readonly revision: bigint }
  | { readonly kind: "refused"; readonly found: FoundKey | undefined };

/**
 * A key, and the revision at which it must stand for a change; 0: it must not be there. A revision is that of one put
 * and so of one lease: nothing else need be compared.
 */
export interface ExpectedKey {
  readonly key: string;
  readonly modRevision: bigint;
}

/** Puts a value under a lease if the key is as expected. */
export async function putIf(
  kv: Etcd3,
  { key, modRevision }: ExpectedKey,
  { value, leaseId, bounds }: { value: string; leaseId: string; bounds: CallBounds },
): Promise<KeyChange> {
  const transaction = kv.if(key, "Mod", "==", Number(modRevision))
    .then(kv.put(key).value(value).lease(leaseId))
    .else(kv.get(key));
  return changeOf(await within(transaction.commit(), bounds));
}

/** Deletes a key if it is as expected. */
export async function deleteIf(
  kv: Etcd3,
  { key, modRevision }: ExpectedKey,
  bounds: CallBounds,
): Promise<KeyChange> {
  const transaction = kv.if(key, "Mod", "==", Number(modRevision)).then(kv.delete().key(key)).else(
    kv.get(key),
  );
  return changeOf(await within(transaction.commit(), bounds));
}

/** Reads a key. */
export async function findKey(kv: Etcd3, key: string, bounds: CallBounds): Promise<FoundKey | undefined> {
  return foundKey((await within(kv.get(key).exec(), bounds)).kvs[0]);
}

function changeOf({ succeeded, header, responses }: ITxnResponse): KeyChange {
  if (succeeded) return { kind: "changed", revision: BigInt(header.revision) };
  return { kind: "refused", found: foundKey(responses[0]?.response_range?.kvs[0]) };
}

function foundKey(kv: IKeyValue | undefined): FoundKey | undefined {
  if (kv === undefined) return undefined;
  return { value: kv.value.toString(), leaseId: kv.lease, modRevision: BigInt(kv.mod_revision) };
}
