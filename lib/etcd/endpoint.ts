import { Buffer } from "node:buffer";
import { rootCertificates } from "node:tls";
import { Etcd3, GRPCFailedPreconditionError, type ICallable, type IOptions } from "etcd3";
import type { Credentials } from "./credentials.ts";

/** One attempt of a call may take this long; the next attempt goes to another endpoint. */
export const CALL_DEADLINE_MS = 1_000;

const GRPC_OPTIONS = {
  // A larger message would not come within the time limit of a call. Pages get smaller then (see `read.ts`).
  "grpc.max_receive_message_length": 32 * 1024 * 1024,
  // No keep-alive pings: etcd punishes too many, Deno before 2.8 does not see the answers, and deadlines of calls and
  // progress requests of watches detect silence without them.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // Clients of one process would otherwise share a connection to the same endpoint.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
};

/** etcd3's retries and circuit breakers are policies. This one only makes the call: `calls.ts` decides what is tried again. */
const NO_POLICY: NonNullable<NonNullable<IOptions["faultHandling"]>["global"]> = {
  execute: async (call, signal = new AbortController().signal) => await call({ signal }),
  onSuccess: () => ({ dispose: () => {} }),
  onFailure: () => ({ dispose: () => {} }),
  get _altReturn(): never {
    throw new Error("this property exists for the type checker only");
  },
};

/** One endpoint of etcd. */
export interface Endpoint {
  readonly url: string;
  readonly calls: ICallable<unknown>;
  /** A large read on the connection of a watch can starve it (etcd#15402). */
  readonly watches: ICallable<unknown>;
  /** Gives a token for a name and a password; undefined where authentication is off. */
  authenticate(auth: NonNullable<Credentials["auth"]>): Promise<string | undefined>;
  close(): void;
}

/**
 * Prepares an endpoint; nothing is connected before the first call. It does not get name and password: etcd3 would fetch
 * the token by connections that back off for up to two minutes and are never closed.
 *
 * @throws when the certificates cannot be used
 */
export function openEndpoint(url: string, tls: Credentials["tls"]): Endpoint {
  const options: IOptions = {
    hosts: [url],
    ...(tls !== undefined && url.startsWith("https:") ? { credentials: tlsCredentials(tls) } : {}),
    faultHandling: { host: () => NO_POLICY, global: NO_POLICY },
    grpcOptions: GRPC_OPTIONS,
  };
  const [calls, watches] = [new OpenEtcd3(options), new OpenEtcd3(options)];
  return {
    url,
    calls: calls.connection,
    watches: watches.connection,
    authenticate: ({ username, password }) => authenticate(calls, { name: username, password }),
    close: () => {
      calls.close();
      watches.close();
    },
  };
}

/** etcd3 with access to its connection, which is a protected member. */
export class OpenEtcd3 extends Etcd3 {
  get connection(): ICallable<unknown> {
    return this.pool;
  }
}

/** Without authorities, a client certificate alone would make etcd3 trust no server. */
function tlsCredentials({ ca, cert, key }: NonNullable<Credentials["tls"]>): IOptions["credentials"] {
  const authorities = ca ?? Buffer.from(rootCertificates.join("\n"));
  return { rootCertificate: authorities, privateKey: key, certChain: cert };
}

async function authenticate(
  client: Etcd3,
  request: { name: string; password: string },
): Promise<string | undefined> {
  try {
    const { token } = await client.auth.authenticate(request, { deadline: Date.now() + CALL_DEADLINE_MS });
    return token;
  } catch (error) {
    // Where authentication is off, calls are made without a token until it is switched on, as etcdctl does.
    if (error instanceof GRPCFailedPreconditionError) return undefined;
    throw error;
  }
}
