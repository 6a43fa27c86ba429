import type { Etcd3, IKeyValue } from "etcd3";
import { type CallBounds, within } from "../util/time.ts";
import { keyText } from "../etcd/read.ts";

/** Something of each of the two keys of a node. */
export interface OfKeys<T> {
  readonly applied: T;
  readonly status: T;
}

/** Reads the keys below `<nodes prefix><name>/`. */
export async function readNodeKeys(
  kv: Etcd3,
  prefix: string,
  bounds: CallBounds,
): Promise<OfKeys<IKeyValue | undefined>> {
  const { kvs } = await within(kv.getAll().prefix(prefix).exec(), bounds);
  const find = (what: string) => kvs.find(({ key }) => keyText(key) === `${prefix}${what}`);
  return { applied: find("applied"), status: find("status") };
}

export interface NodePut {
  /** `<nodes prefix><name>/`. */
  readonly prefix: string;
  readonly leaseId: string;
  /** The keys' revisions as they were seen last; "0" for a missing key. */
  readonly revisions: OfKeys<string>;
  /** Undefined: the key stays as it is. */
  readonly values: OfKeys<string | undefined>;
  /** Keys below it are deleted: the node had another name before. */
  readonly leftover: string | undefined;
}

/** Puts keys of a node in one revision. Returns undefined, and puts nothing, if another client has changed one. */
export async function putNodeKeys(
  kv: Etcd3,
  { prefix, leaseId, revisions, values, leftover }: NodePut,
  bounds: CallBounds,
): Promise<OfKeys<string> | undefined> {
  const put = (what: "applied" | "status") => {
    const value = values[what];
    return value === undefined ? [] : [kv.put(`${prefix}${what}`).value(value).lease(leaseId)];
  };
  const call = kv.if(`${prefix}applied`, "Mod", "==", revisions.applied)
    .and(`${prefix}status`, "Mod", "==", revisions.status)
    .then(
      ...put("applied"),
      ...put("status"),
      ...(leftover === undefined ? [] : [kv.delete().prefix(leftover)]),
    ).commit();
  const { succeeded, header: { revision } } = await within(call, bounds);
  if (!succeeded) return undefined;
  return {
    applied: values.applied === undefined ? revisions.applied : revision,
    status: values.status === undefined ? revisions.status : revision,
  };
}
