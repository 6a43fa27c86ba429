import { ClientClosedError } from "etcd3";
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../util/errors.ts";
import type { Credentials, CredentialSource } from "./credentials.ts";
import { type Endpoint, openEndpoint } from "./endpoint.ts";
import { createTokens, type Tokens } from "./tokens.ts";

/** Connections to all endpoints, made with the same credentials. */
export interface Connections {
  readonly credentials: Credentials;
  readonly endpoints: readonly Endpoint[];
  readonly tokens: Tokens<Endpoint>;
  /** Whether a call on these connections was answered. */
  hasAnswered: boolean;
}

/** The connections that are made with the newest credentials. */
export interface RenewableConnections {
  /** @throws when there are none yet and the credentials cannot be read or used, or when all is closed */
  current(): Promise<Connections>;
  /**
   * Reads the credentials again. If they have changed, new connections replace the old ones. If they cannot be read or
   * used, nothing changes; see `problem()`. Never rejects.
   */
  renew(): Promise<void>;
  /** Why the credentials in use may be old. */
  problem(): string | undefined;
  close(): void;
}

/** How to reach etcd. */
export interface EtcdOptions {
  /** Endpoints with their scheme, such as `http://127.0.0.1:2379`; all of one scheme. */
  readonly endpoints: readonly string[];
  /** Without it: no client certificate, the system's authorities, no user. */
  readonly credentials?: CredentialSource;
  /** The credentials have changed, and the new ones are used from now on. */
  readonly onRenewed?: () => void;
}

/** Makes connections when they are first needed. */
export function createConnections(options: EtcdOptions): RenewableConnections {
  const { endpoints, credentials = () => Promise.resolve({}), onRenewed = () => {} } = options;
  let connections: Connections | undefined;
  let problem: string | undefined;
  let closed = false;

  async function read(): Promise<Connections> {
    const read = await credentials();
    if (closed) throw new ClientClosedError("any");
    if (connections !== undefined && isDeepStrictEqual(connections.credentials, read)) return connections;
    const before = connections;
    connections = connect(endpoints, read);
    if (before === undefined) return connections;
    close(before);
    onRenewed();
    return connections;
  }

  return {
    current: () => connections === undefined ? read() : Promise.resolve(connections),
    renew: async () => {
      try {
        await read();
        problem = undefined;
      } catch (error) {
        problem = messageOf(error);
      }
    },
    problem: () => problem,
    close: () => {
      closed = true;
      if (connections !== undefined) close(connections);
    },
  };
}

function connect(urls: readonly string[], credentials: Credentials): Connections {
  const { tls, auth } = credentials;
  const authenticate = async (endpoint: Endpoint) => auth && await endpoint.authenticate(auth);
  return {
    credentials,
    endpoints: urls.map((url) => openEndpoint(url, tls)),
    tokens: createTokens(authenticate),
    hasAnswered: false,
  };
}

/** Calls and streams that have begun continue, and their connections end with them. */
function close({ endpoints }: Connections): void {
  endpoints.forEach((endpoint) => endpoint.close());
}
