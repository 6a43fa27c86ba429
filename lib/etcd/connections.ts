import type { Credentials } from "./credentials.ts";
import { type Endpoint, openEndpoint } from "./endpoint.ts";
import { createTokens, type Tokens } from "./tokens.ts";

/** Connections to all endpoints, made with the same credentials. */
export interface Connections {
  readonly credentials: Credentials;
  readonly endpoints: readonly Endpoint[];
  readonly tokens: Tokens<Endpoint>;
  /** Runs a call; connections that retire wait for it. */
  use<T>(call: () => Promise<T>): Promise<T>;
  /** Closes when the last call has ended. A stream that is open goes on, and takes its connection along when it ends. */
  retire(): void;
  close(): void;
}

/**
 * Prepares connections. Nothing is connected before the first call.
 *
 * @throws when the certificates cannot be used
 */
export function openConnections(urls: readonly string[], credentials: Credentials): Connections {
  const { tls, auth } = credentials;
  const endpoints = urls.map((url) => openEndpoint(url, tls));
  let calls = 0;
  let retired = false;
  const close = () => endpoints.forEach((endpoint) => endpoint.close());
  const closeUnused = () => {
    if (retired && calls === 0) close();
  };
  return {
    credentials,
    endpoints,
    tokens: createTokens((endpoint) =>
      auth === undefined ? Promise.resolve(undefined) : endpoint.authenticate(auth)
    ),
    use: async (call) => {
      calls++;
      try {
        return await call();
      } finally {
        calls--;
        closeUnused();
      }
    },
    retire: () => {
      retired = true;
      closeUnused();
    },
    close,
  };
}
