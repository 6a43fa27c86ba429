import type { Etcd3 } from "etcd3";
import { messageOf } from "../util/errors.ts";
import { repeat } from "../util/time.ts";
import type { EtcdClient } from "./client.ts";
import { isRefusal } from "./refusal.ts";

/** What to read, and where to report. */
export interface ReadCheckOptions {
  readonly client: EtcdClient;
  readonly prefixes: readonly string[];
  /** Jittered, in milliseconds. */
  readonly everyMs: number;
  readonly signal: AbortSignal;
  /** Reads began to fail, or fail for another reason than before. Undefined: they are answered again. */
  onChange(reason: string | undefined): void;
}

/**
 * Reads one key now and then until the signal is aborted. etcd keeps a watch alive after its user has lost the permission
 * to read. Only another call shows that, and it is better known before the watch breaks. Never rejects.
 */
export async function checkReads(options: ReadCheckOptions): Promise<void> {
  const { everyMs, signal, onChange } = options;
  let last: string | undefined;
  await repeat(async () => {
    const reason = await tryRead(options);
    if (signal.aborted || reason === last) return;
    last = reason;
    onChange(reason);
  }, { ms: everyMs, signal });
}

async function tryRead({ client: { kv }, prefixes }: ReadCheckOptions): Promise<string | undefined> {
  try {
    await readTogether(kv, prefixes);
    return undefined;
  } catch (error) {
    return isRefusal(error) ? await refusedRead(kv, prefixes) : messageOf(error);
  }
}

/**
 * One call for all prefixes: calls are most of what an idle node costs. Any member may answer from what it has, because
 * only the permissions matter.
 */
async function readTogether(kv: Etcd3, prefixes: readonly string[]): Promise<void> {
  const reads = prefixes.map((prefix) => kv.get(prefix).serializable(true));
  // Whether the condition holds does not matter.
  await kv.if(prefixes[0] ?? "", "Version", "==", 0).then(...reads).commit();
}

/** Why a read is refused. The answer to a transaction does not say which key may not be read. */
async function refusedRead(kv: Etcd3, prefixes: readonly string[]): Promise<string | undefined> {
  try {
    for (const prefix of prefixes) await kv.get(prefix).serializable(true).exec();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
