import type { Etcd3, IKeyValue, IOperation } from "etcd3";
import { type CallBounds, within } from "../util/time.ts";
import type { FoundKey } from "./progress.ts";

/** How a change of a key ended: it was made, or the key differed from what was expected and was left alone. */
export type KeyChange =
  | { readonly kind: "changed"; readonly revision: bigint }
  | { readonly kind: "refused"; readonly found: FoundKey | undefined };

/** A change of a key. */
export interface ConditionalChange {
  readonly key: string;
  /** The key's revision now; 0: it must not exist. A revision belongs to one put, so the lease is not compared. */
  readonly modRevision: bigint;
  readonly request: IOperation;
}

/** Changes a key if it is as expected. */
export async function changeIf(
  kv: Etcd3,
  { key, modRevision, request }: ConditionalChange,
  bounds: CallBounds,
): Promise<KeyChange> {
  const transaction = kv.if(key, "Mod", "==", Number(modRevision)).then(request).else(kv.get(key));
  const { succeeded, header, responses } = await within(transaction.commit(), bounds);
  if (succeeded) return { kind: "changed", revision: BigInt(header.revision) };
  return { kind: "refused", found: foundKey(responses[0]?.response_range?.kvs[0]) };
}

/** Reads a key. */
export async function findKey(kv: Etcd3, key: string, bounds: CallBounds): Promise<FoundKey | undefined> {
  return foundKey((await within(kv.get(key).exec(), bounds)).kvs[0]);
}

function foundKey(kv: IKeyValue | undefined): FoundKey | undefined {
  if (kv === undefined) return undefined;
  return { value: kv.value.toString(), leaseId: kv.lease, modRevision: BigInt(kv.mod_revision) };
}
