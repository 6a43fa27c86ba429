import { parseStatus } from "./keys.ts";

/** Who may put the keys of a name below the nodes prefix. */
export type Owner =
  /** This process: there are none, or it put them under its lease. */
  | "this-process"
  /** This node: an earlier run put them, or a process that runs on a copy of its state directory. */
  | "this-node"
  /** Another node of the same id. */
  | "another";

/** Tells who owns keys by the status key that was found. Without it, a key `applied` is a leftover. */
export function ownerOf(
  status: { readonly value: Uint8Array; readonly lease: string } | undefined,
  { instance, leaseId }: { readonly instance: string; readonly leaseId: string },
): Owner {
  if (status === undefined || status.lease === leaseId) return "this-process";
  const read = parseStatus(status.value);
  return read.ok && read.value.instance === instance ? "this-node" : "another";
}

/** The name of a second node of an id. */
export function secondName(node: string, instance: string): string {
  return `${node}~${instance.slice(0, 4)}`;
}
