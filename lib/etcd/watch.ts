import { castGrpcErrorMessage, type IWatchResponse, Range } from "etcd3";
import { messageOf } from "../util/errors.ts";
import { within } from "../util/time.ts";
import type { RawEntry } from "../registry/snapshot.ts";
import type { EtcdClient, WatchStream } from "./client.ts";
import { isTooLarge, keyText, otherStore, rawEntry } from "./read.ts";
import { explainStreamFailure } from "./refusal.ts";

/** One change of one key. */
export type WatchEvent =
  | { readonly kind: "put"; readonly entry: RawEntry }
  | { readonly kind: "delete"; readonly key: string; readonly revision: bigint };

/** A watched prefix, and the last revision known of it. */
export interface WatchedPrefix {
  readonly prefix: string;
  seen: bigint;
}

/** Why a watch ended. After `lost` it can continue where it was; after `gone` everything must be read again. */
export type WatchEnd = { readonly kind: "lost" | "gone" | "aborted"; readonly reason: string };

// Together these limits detect a silent member within 3 s.
const CREATED_MS = 1_500;
const IDLE_MS = 1_200;
const PROGRESS_MS = 1_200;

/** What to watch, and where to report. */
export interface WatchOptions {
  readonly prefixes: readonly WatchedPrefix[];
  readonly clusterId: string;
  /** All events of one revision of a prefix come in one call. Must not throw. */
  onEvents(events: readonly WatchEvent[]): void;
  /** The member with this id, written as etcdctl does, has accepted the watch. */
  onCreated(member: string): void;
  /** The member's answer to a progress request: all events up to this revision have been sent. */
  readonly onProgress?: (revision: bigint) => void;
  /** The watch ends because the events that it asks for were compacted away, up to this revision. */
  readonly onCompacted?: (revision: bigint) => void;
  readonly signal: AbortSignal;
  /** Silence after which the member is asked for its progress, in milliseconds. */
  readonly idleMs?: number;
}

/**
 * Watches all prefixes on one stream until something ends it, and returns what. The stream is driven directly, because
 * etcd3's own watcher does not notice a silent member and hangs after some refusals. `seen` of each prefix moves with
 * its events, so a later call continues without a gap. Never rejects.
 */
export async function watchOnce(client: EtcdClient, options: WatchOptions): Promise<WatchEnd> {
  const { signal, idleMs = IDLE_MS } = options;
  const { promise, resolve } = Promise.withResolvers<WatchEnd>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const after = (ms: number, then: () => void) => {
    clearTimeout(timer);
    timer = setTimeout(then, ms);
  };
  const end = (kind: WatchEnd["kind"], reason: string) => resolve({ kind, reason });
  after(CREATED_MS, () => end("lost", `no answer to the watch within ${CREATED_MS} ms`));
  const opened = openStream(client, options, {
    end,
    onAlive: (stream) => after(idleMs, () => askForProgress(stream)),
  });
  const askForProgress = (stream: WatchStream) => {
    after(PROGRESS_MS, () => end("lost", `no sign of life for ${idleMs + PROGRESS_MS} ms`));
    stream.write({ progress_request: {} });
  };
  const ended = await within(promise, { signal })
    .catch((): WatchEnd => ({ kind: "aborted", reason: "stopping" }));
  clearTimeout(timer);
  // A stream that opens after its time limit is cancelled as well.
  opened.then((stream) => stream?.cancel());
  return ended;
}

interface StreamHandlers {
  end(kind: WatchEnd["kind"], reason: string): void;
  onAlive(stream: WatchStream): void;
}

async function openStream(client: EtcdClient, options: WatchOptions, { end, onAlive }: StreamHandlers) {
  try {
    const stream = await client.openWatch();
    const isAlive = watchReader(stream, options, end);
    stream.on("error", (error) => {
      // A message that is too large would be as large the next time.
      end(isTooLarge(error) ? "gone" : "lost", messageOf(explainStreamFailure(stream, error)));
    });
    stream.on("end", () => end("lost", "the member closed the stream"));
    stream.on("data", (response) => {
      // An exception inside the handler would surface as an unhandled rejection.
      try {
        if (isAlive(response)) onAlive(stream);
      } catch (error) {
        end("gone", `cannot read the watch: ${messageOf(error)}`);
      }
    });
    options.prefixes.forEach(({ prefix, seen }, index) => {
      stream.write(createRequest(prefix, seen, index + 1));
    });
    return stream;
  } catch (error) {
    end("lost", messageOf(error));
    return undefined;
  }
}

/**
 * Starts at the last known revision, not at the one after it: etcd does not answer a progress request while a watch waits
 * for a revision that does not exist yet. Events that were seen before are left out.
 */
function createRequest(prefix: string, from: bigint, watchId: number) {
  const { start, end } = Range.prefix(prefix);
  return {
    create_request: { key: start, range_end: end, start_revision: String(from), watch_id: String(watchId) },
  };
}

/** Reads the responses of one stream; returns whether the watch is alive. It is not before etcd has created all of it. */
function watchReader(
  stream: WatchStream,
  options: WatchOptions,
  end: StreamHandlers["end"],
): (response: IWatchResponse) => boolean {
  let toCreate = options.prefixes.length;
  return (response) => {
    if (response.canceled) {
      if (response.compact_revision !== "0") options.onCompacted?.(BigInt(response.compact_revision));
      end("gone", cancelReason(stream, response, options));
      return false;
    }
    if (response.created) {
      const { cluster_id: clusterId, revision } = response.header;
      const seen = options.prefixes.map(({ seen }) => seen).reduce((a, b) => a > b ? a : b);
      const found = { clusterId, revision: BigInt(revision) };
      const other = otherStore(found, { clusterId: options.clusterId, revision: seen });
      if (other !== undefined) end("gone", other);
      if (--toCreate === 0) options.onCreated(BigInt(response.header.member_id).toString(16));
    }
    const watched = options.prefixes[Number(response.watch_id) - 1];
    if (watched !== undefined && response.events.length > 0) readEvents(response, watched, options);
    if (!response.created && response.events.length === 0) {
      options.onProgress?.(BigInt(response.header.revision));
    }
    return toCreate <= 0;
  };
}

function cancelReason(stream: WatchStream, response: IWatchResponse, { prefixes }: WatchOptions): string {
  if (response.compact_revision !== "0") return `compacted up to revision ${response.compact_revision}`;
  const key = prefixes.map(({ prefix }) => prefix).join(", ");
  return messageOf(explainStreamFailure(stream, castGrpcErrorMessage(response.cancel_reason), { key }));
}

function readEvents(response: IWatchResponse, watched: WatchedPrefix, options: WatchOptions): void {
  // Events can come twice after a member was frozen.
  const fresh = response.events.filter((event) => BigInt(event.kv.mod_revision) > watched.seen);
  const last = fresh.at(-1);
  if (last === undefined) return;
  watched.seen = BigInt(last.kv.mod_revision);
  options.onEvents(fresh.map((event): WatchEvent => {
    // The types say `Put`, the wire says `PUT`.
    if (event.type.toLowerCase() === "put") return { kind: "put", entry: rawEntry(event.kv) };
    return { kind: "delete", key: keyText(event.kv.key), revision: BigInt(event.kv.mod_revision) };
  }));
}
