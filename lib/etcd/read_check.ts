import type { Etcd3 } from "etcd3";
import { messageOf } from "../util/errors.ts";
import { sleep } from "../util/time.ts";
import type { EtcdClient } from "./client.ts";
import { isRefusal } from "./refusal.ts";

/** What to read, and who hears of it. */
export interface ReadCheckOptions {
  readonly client: EtcdClient;
  readonly prefixes: readonly string[];
  /** Jittered, in milliseconds. */
  readonly everyMs: number;
  readonly signal: AbortSignal;
  /** Reads began to fail, or fail for another reason than before. */
  onRefused(reason: string): void;
  onAnswered(): void;
}

/**
 * Reads one key now and then until the signal is aborted. etcd goes on with a watch that it accepted once, also when its
 * user may not read any more: only another call tells, and it is better known before the watch breaks. Never rejects.
 */
export async function checkReads(options: ReadCheckOptions): Promise<void> {
  const { everyMs, signal } = options;
  let last: string | undefined;
  for (;;) {
    await sleep(everyMs * (0.75 + Math.random() / 2), signal);
    if (signal.aborted) return;
    const reason = await tryRead(options);
    if (signal.aborted) return;
    if (reason === last) continue;
    last = reason;
    if (reason === undefined) options.onAnswered();
    else options.onRefused(reason);
  }
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
 * One call for all prefixes, for calls are most of what an idle node costs. Any member may answer from what it has:
 * permissions are checked as for every read, and nothing else is asked.
 */
async function readTogether(kv: Etcd3, prefixes: readonly string[]): Promise<void> {
  const reads = prefixes.map((prefix) => kv.get(prefix).serializable(true));
  // Whether the condition holds does not matter.
  await kv.if(prefixes[0] ?? "", "Version", "==", 0).then(...reads).commit();
}

/** Why a read is refused; only a call that asks for nothing else tells what it is that may not be read. */
async function refusedRead(kv: Etcd3, prefixes: readonly string[]): Promise<string | undefined> {
  try {
    for (const prefix of prefixes) await kv.get(prefix).serializable(true).exec();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
