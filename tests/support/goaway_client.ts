// Clients of etcd that follow a prefix, and one that writes a new key below it again and again. SIGTERM ends the writing;
// the program ends when all have seen every key that etcd took, and tells what they saw.
import { prepareProcess } from "../../lib/etcd/process.ts";
import { Buffer } from "node:buffer";
import { createEtcdClient, type EtcdClient, type EtcdOptions } from "../../lib/etcd/client.ts";
import { followEtcd } from "../../lib/etcd/follow.ts";
import { pause, waitFor } from "../../tools/local/wait.ts";

/** The program's one argument, as JSON. */
export interface GoawayClientOptions {
  readonly endpoint: string;
  /** Files. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly followers: number;
}

/** The program's last line of output, as JSON. */
export interface GoawayClientResult {
  readonly written: number;
  /** For each follower: how many of the written keys it knows. */
  readonly seen: readonly number[];
  /** For each follower: why it read everything. */
  readonly reads: readonly (readonly string[])[];
}

/** What it writes whenever a follower's watch is there. */
export const WATCHING = "watching";
const PREFIX = "/goaway/";
const CATCH_UP_MS = 8_000;

interface Follower {
  readonly keys: Set<string>;
  readonly reads: string[];
}

function follow(client: EtcdClient): Follower {
  const follower: Follower = { keys: new Set(), reads: [] };
  followEtcd({
    client,
    prefixes: [PREFIX],
    onChange: ({ entries }) => entries.forEach((_, key) => follower.keys.add(key)),
    onEvent: (event) => {
      if (event.kind === "watching") console.log(WATCHING);
      if (event.kind === "read") follower.reads.push(event.why);
    },
    signal: new AbortController().signal,
  });
  return follower;
}

/** Resolves with the keys that etcd confirmed. */
async function write(client: EtcdClient, signal: AbortSignal): Promise<string[]> {
  const written: string[] = [];
  for (let i = 0; !signal.aborted; i++) {
    const key = `${PREFIX}${i}`;
    try {
      await client.kv.put(key).value("x");
      written.push(key);
    } catch {
      // etcd is away.
    }
    await pause(20);
  }
  return written;
}

function readOptions(options: GoawayClientOptions): EtcdOptions {
  const { endpoint, tls } = options;
  if (tls === undefined) return { endpoints: [endpoint] };
  const read = async (file: string) => Buffer.from(await Deno.readFile(file));
  return {
    endpoints: [endpoint],
    credentials: async () => ({
      tls: { ca: await read(tls.ca), cert: await read(tls.cert), key: await read(tls.key) },
    }),
  };
}

async function main(options: GoawayClientOptions): Promise<GoawayClientResult> {
  prepareProcess();
  const etcd = readOptions(options);
  const stop = new AbortController();
  Deno.addSignalListener("SIGTERM", () => stop.abort());
  const followers = Array.from({ length: options.followers }, () => follow(createEtcdClient(etcd)));
  const written = await write(createEtcdClient(etcd), stop.signal);
  const count = ({ keys }: Follower) => written.filter((key) => keys.has(key)).length;
  await waitFor("every key", () => followers.every((follower) => count(follower) === written.length), {
    deadlineMs: CATCH_UP_MS,
  }).catch(() => {});
  return { written: written.length, seen: followers.map(count), reads: followers.map(({ reads }) => reads) };
}

if (import.meta.main) {
  console.log(JSON.stringify(await main(JSON.parse(Deno.args[0] ?? ""))));
  Deno.exit(0);
}
