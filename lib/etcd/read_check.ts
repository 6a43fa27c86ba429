import { messageOf } from "../errors.ts";
import { sleep } from "../sleep.ts";
import type { EtcdClient } from "./client.ts";

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

/** Any member may answer from what it has: permissions are checked as for every read, and nothing else is asked. */
async function tryRead({ client, prefixes }: ReadCheckOptions): Promise<string | undefined> {
  try {
    for (const prefix of prefixes) await client.kv.get(prefix).serializable(true).exec();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
