import type { EtcdClient } from "../lib/etcd/client.ts";
import type { EtcdCluster } from "../tools/local/etcd_cluster.ts";
import { pause } from "../tools/local/wait.ts";
import type { FastOrigins } from "./origins.ts";
import type { Name } from "./report.ts";

/** What all parts share. */
export interface Bench {
  readonly etcd: EtcdCluster;
  readonly client: EtcdClient;
  readonly origins: FastOrigins;
  /** A directory for files of the bench itself. */
  readonly dir: string;
  readonly quick: boolean;
  /** Aborted when the bench is asked to end. */
  readonly signal: AbortSignal;
  /** Processes that outlived their node. */
  readonly left: { readonly name: Name; readonly pid: number }[];
  /** Prints what is being done. */
  readonly say: (line: string) => void;
}

/** Waits; throws when the bench is asked to end meanwhile. */
export async function rest(ms: number, { signal }: Bench): Promise<void> {
  await pause(Math.max(0, ms), signal);
  signal.throwIfAborted();
}

/** Waits until a time of `performance.now()`. */
export async function restUntil(time: number, bench: Bench): Promise<void> {
  await rest(time - performance.now(), bench);
}

/** Metric of etcd: how many range requests it has carried out. */
export async function rangeRequests({ etcd }: Bench): Promise<number> {
  const response = await fetch(`${etcd.member(0).endpoint}/metrics`);
  const text = await response.text();
  const found = /^etcd_(?:debugging_)?mvcc_range_total (\S+)$/m.exec(text)?.[1];
  if (found === undefined) throw new Error("Cannot find the number of range requests in etcd's metrics");
  return Number(found);
}
