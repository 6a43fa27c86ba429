import type { Buffer } from "node:buffer";
import {
  Etcd3,
  type IDuplexStream,
  type IOptions,
  isRecoverableError,
  type IWatchRequest,
  type IWatchResponse,
} from "etcd3";
import { ConstantBackoff, handleWhen, noop, retry, timeout, TimeoutStrategy, wrap } from "cockatiel";
import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { surviveGoaway } from "./goaway.ts";
import { acceptIpEndpoints } from "./tls.ts";

/** How to reach etcd. */
export interface EtcdOptions {
  /** Endpoints with their scheme, such as `http://127.0.0.1:2379`; all of one scheme. */
  readonly endpoints: readonly string[];
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly auth?: { readonly username: string; readonly password: string };
}

/** The raw watch stream of etcd's API. */
export type WatchStream = IDuplexStream<IWatchRequest, IWatchResponse>;

/** A client with a connection of its own for watches: a large read on the same connection can starve a watch (etcd#15402). */
export interface EtcdClient {
  readonly kv: Etcd3;
  openWatch(): Promise<WatchStream>;
  close(): void;
}

/** One attempt of a call may take this long; the next attempt goes to another endpoint. */
export const CALL_DEADLINE_MS = 1_000;
/** A call with its attempts may take this long, so that an outage is noticed within 3 s. */
const CALL_TOTAL_MS = 2_900;

const GRPC_OPTIONS = {
  // What is larger would not come within the time limit of a call; pages are made smaller then (see `read.ts`).
  "grpc.max_receive_message_length": 32 * 1024 * 1024,
  // No keep-alive pings: etcd punishes too many, Deno before 2.8 does not see the answers, and silence is noticed without
  // them (deadlines of calls, progress requests of watches).
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // Clients of one process would otherwise share a connection to the same endpoint.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
};

function clientOptions(options: EtcdOptions): IOptions {
  const { ca, cert, key } = options.tls ?? {};
  return {
    hosts: [...options.endpoints],
    ...(ca ? { credentials: { rootCertificate: ca, privateKey: key, certChain: cert } } : {}),
    ...(options.auth ? { auth: { ...options.auth } } : {}),
    defaultCallOptions: (call) => call.isStream ? {} : { deadline: Date.now() + CALL_DEADLINE_MS },
    faultHandling: {
      host: () => noop,
      global: wrap(
        timeout(CALL_TOTAL_MS, TimeoutStrategy.Aggressive),
        retry(handleWhen(isRecoverable), { maxAttempts: 2, backoff: new ConstantBackoff(50) }),
      ),
    },
    grpcOptions: GRPC_OPTIONS,
  };
}

function isRecoverable(error: unknown): boolean {
  return error instanceof Error && isRecoverableError(error);
}

/** What etcd3's generated watch client offers; the package's types leave it out. */
interface RawWatchClient {
  watch(metadata: unknown, options: unknown): WatchStream & { readonly writable: boolean };
}

/**
 * etcd3 with access to the raw watch stream. etcd3's own watcher hangs after a refused watch, an expired token or a
 * restart of etcd with authentication on, so the mirror drives the stream itself (see `watch.ts`). The pool and its
 * stream are protected members, hence the subclass and the one cast.
 */
class EtcdWithWatchStream extends Etcd3 {
  openWatch(): Promise<WatchStream> {
    return this.pool.withConnection("Watch", ({ resource, client, metadata }) => {
      const withLeader = metadata.clone();
      // A member without quorum then ends the stream instead of going silent.
      withLeader.set("hasleader", "true");
      const stream = (client as unknown as RawWatchClient).watch(withLeader, {});
      stream.on("error", (error) => {
        if (stream.writable) this.pool.markFailed(resource, error);
      });
      return stream;
    });
  }
}

/** Creates a client. Nothing is connected before the first call. */
export function createEtcdClient(options: EtcdOptions): EtcdClient {
  // What goes wrong comes as errors; lines of the library's own would break the log's format.
  setLogVerbosity(logVerbosity.NONE);
  acceptIpEndpoints();
  surviveGoaway();
  const kv = new Etcd3(clientOptions(options));
  const watcher = new EtcdWithWatchStream(clientOptions(options));
  return {
    kv,
    openWatch: () => watcher.openWatch(),
    close: () => {
      kv.close();
      watcher.close();
    },
  };
}
