import type { Etcd3, IKeyValue } from "etcd3";
import { type CallBounds, within } from "../util/time.ts";
import type { NodeKeysFound } from "./owner.ts";
import { keyText } from "../etcd/read.ts";

/** At which revisions the two keys of a node were put last; "0" for one that is not there. */
export interface NodeKeyRevisions {
  readonly applied: string;
  readonly status: string;
}

export interface NodeKeysRead {
  readonly keys: NodeKeysFound;
  readonly revisions: NodeKeyRevisions;
}

/** Reads the keys below `<nodes prefix><name>/`. */
export async function readNodeKeys(
  kv: Etcd3,
  prefix: string,
  bounds: CallBounds,
): Promise<NodeKeysRead> {
  const { kvs } = await within(kv.getAll().prefix(prefix).exec(), bounds);
  const find = (what: string) => kvs.find(({ key }) => keyText(key) === `${prefix}${what}`);
  const revision = (item: IKeyValue | undefined) => item?.mod_revision ?? "0";
  const [applied, status] = [find("applied"), find("status")];
  return { keys: { applied, status }, revisions: { applied: revision(applied), status: revision(status) } };
}

export interface NodePut {
  /** `<nodes prefix><name>/`. */
  readonly prefix: string;
  readonly leaseId: string;
  /** As the keys were seen last. */
  readonly revisions: NodeKeyRevisions;
  /** Undefined: the key stays as it is. */
  readonly applied: string | undefined;
  readonly status: string | undefined;
  /** Keys below it are deleted: the node had another name before. */
  readonly leftover: string | undefined;
}

/** Puts keys of a node in one revision. Returns undefined, and puts nothing, if somebody else has changed one. */
export async function putNodeKeys(
  kv: Etcd3,
  { prefix, leaseId, revisions, applied, status, leftover }: NodePut,
  bounds: CallBounds,
): Promise<NodeKeyRevisions | undefined> {
  const put = (what: string, value: string | undefined) =>
    value === undefined ? [] : [kv.put(`${prefix}${what}`).value(value).lease(leaseId)];
  const call = kv.if(`${prefix}applied`, "Mod", "==", revisions.applied)
    .and(`${prefix}status`, "Mod", "==", revisions.status)
    .then(
      ...put("applied", applied),
      ...put("status", status),
      ...(leftover === undefined ? [] : [kv.delete().prefix(leftover)]),
    ).commit();
  const { succeeded, header: { revision } } = await within(call, bounds);
  if (!succeeded) return undefined;
  return {
    applied: applied === undefined ? revisions.applied : revision,
    status: status === undefined ? revisions.status : revision,
  };
}
