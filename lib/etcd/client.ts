import type { Etcd3, IDuplexStream, IWatchRequest, IWatchResponse } from "etcd3";
import { type Calls, createCalls } from "./calls.ts";
import { createConnections } from "./connections.ts";
import type { CredentialSource } from "./credentials.ts";
import { OpenEtcd3 } from "./endpoint.ts";

/** How to reach etcd. */
export interface EtcdOptions {
  /** Endpoints with their scheme, such as `http://127.0.0.1:2379`; all of one scheme. */
  readonly endpoints: readonly string[];
  /** Without it: no client certificate, the system's authorities, no user. */
  readonly credentials?: CredentialSource;
  /** The credentials have changed, and the new ones are used from now on. */
  readonly onRenewed?: () => void;
}

/** The raw watch stream of etcd's API. */
export type WatchStream = IDuplexStream<IWatchRequest, IWatchResponse>;

/** A client that stays the same while its credentials and connections may change. */
export interface EtcdClient {
  readonly kv: Etcd3;
  openWatch(): Promise<WatchStream>;
  close(): void;
}

/**
 * Creates a client. Nothing is read or connected before the first call. `prepareProcess()` must have been called before:
 * otherwise a GOAWAY can end the process.
 */
export function createEtcdClient(options: EtcdOptions): EtcdClient {
  const { endpoints, credentials = () => Promise.resolve({}), onRenewed = () => {} } = options;
  const connections = createConnections({ endpoints, credentials, onRenewed });
  const kv = etcdThrough(createCalls(connections));
  return {
    kv,
    openWatch: async () => {
      await connections.renew();
      return await kv.watchClient.watch();
    },
    close: connections.close,
  };
}

/** The host of etcd3's own connections, which are never made. */
const UNUSED_HOST = "http://127.0.0.1:2379";

/**
 * etcd3 with calls of our own instead of its connections: one client lives as long as the process, while tokens and
 * certificates are replaced underneath.
 *
 * etcd3's watcher and leases are not used: they hang after a refused watch, an expired token or a restart of etcd with
 * authentication on (see `watch.ts` and `lease.ts`).
 */
function etcdThrough(calls: Calls): Etcd3 {
  const etcd = new OpenEtcd3({ hosts: UNUSED_HOST });
  Object.assign(etcd.connection, calls);
  return etcd;
}
