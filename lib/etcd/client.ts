import { Etcd3, type IDuplexStream, type IWatchRequest, type IWatchResponse } from "etcd3";
import { type Calls, createCalls } from "./calls.ts";
import type { CredentialSource } from "./credentials.ts";
import { createRenewal } from "./renewal.ts";

export { CALL_DEADLINE_MS } from "./endpoint.ts";

/** How to reach etcd. */
export interface EtcdOptions {
  /** Endpoints with their scheme, such as `http://127.0.0.1:2379`; all of one scheme. */
  readonly endpoints: readonly string[];
  /** Without it: no client certificate, the system's authorities, no user. */
  readonly credentials?: CredentialSource;
  /** Other credentials than before were read, and are used from now on. */
  readonly onRenewed?: () => void;
}

/** The raw watch stream of etcd's API. */
export type WatchStream = IDuplexStream<IWatchRequest, IWatchResponse>;

/** A client that stays the same while what it shows to etcd may change. */
export interface EtcdClient {
  readonly kv: Etcd3;
  openWatch(): Promise<WatchStream>;
  close(): void;
}

/**
 * Creates a client. Nothing is read or connected before the first call. The process must have been prepared by
 * `prepareProcess()`: one that was not can die of a GOAWAY.
 */
export function createEtcdClient(options: EtcdOptions): EtcdClient {
  const { endpoints, credentials = () => Promise.resolve({}), onRenewed = () => {} } = options;
  const renewal = createRenewal({ endpoints, credentials, onRenewed });
  const kv = new EtcdThrough(createCalls(renewal));
  return {
    kv,
    openWatch: async () => {
      await renewal.renew();
      return await kv.watchClient.watch();
    },
    close: renewal.close,
  };
}

/**
 * etcd3 that makes its calls in another way than by connections of its own. What a token or a certificate is replaced in
 * must not be replaced itself: whoever was given the client goes on with it.
 *
 * etcd3's watcher and leases are not used: they hang after a refused watch, an expired token or a restart of etcd with
 * authentication on (see `watch.ts` and `lease.ts`).
 */
class EtcdThrough extends Etcd3 {
  constructor(calls: Calls) {
    super({ hosts: UNUSED_HOST });
    // A protected member that only its constructor sets.
    Object.assign(this.pool, calls);
  }
}

/** Where the connections of etcd3's own would go to, which are never made. */
const UNUSED_HOST = "http://127.0.0.1:2379";
