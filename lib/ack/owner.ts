import { type NodeStatus, parseStatus } from "./keys.ts";

/** The two keys of a name below the nodes prefix, as they stand in etcd. */
export interface NodeKeysFound {
  readonly status: { readonly value: Uint8Array; readonly lease: string } | undefined;
  readonly applied: { readonly value: Uint8Array; readonly lease: string } | undefined;
}

/** Whose keys they are. */
export type Owner =
  /** Nobody's: they may be put. */
  | "nobody"
  /** Put by this process, under the lease that it holds. */
  | "this-process"
  /** Put by an earlier run of this node: they are taken over. */
  | "this-node"
  /** Put by another node of the same id. */
  | "another";

/** Tells whose keys are found under a name. A key without a status beside it is a leftover. */
export function ownerOf(
  { status }: NodeKeysFound,
  { instance, leaseId }: { readonly instance: string; readonly leaseId: string },
): Owner {
  if (status === undefined) return "nobody";
  if (status.lease === leaseId) return "this-process";
  return instanceOf(status.value) === instance ? "this-node" : "another";
}

/** The name of a second node of an id. */
export function secondName(node: string, instance: string): string {
  return `${node}~${instance.slice(0, 4)}`;
}

function instanceOf(value: Uint8Array): NodeStatus["instance"] | undefined {
  const status = parseStatus(value);
  return status.ok ? status.value.instance : undefined;
}
