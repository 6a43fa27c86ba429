import { ClientClosedError } from "etcd3";
import { messageOf } from "../util/errors.ts";
import { type Connections, openConnections } from "./connections.ts";
import { type CredentialSource, sameCredentials } from "./credentials.ts";

/** The connections that are made with the newest credentials. */
export interface RenewableConnections {
  /** @throws when there are none yet and the credentials cannot be read or used, or when all is closed */
  current(): Promise<Connections>;
  /** Reads the credentials again. What cannot be read or used changes nothing; see `problem()`. Never rejects. */
  renew(): Promise<void>;
  /** Why older credentials than those of now are used. */
  problem(): string | undefined;
  close(): void;
}

export interface RenewalOptions {
  readonly endpoints: readonly string[];
  readonly credentials: CredentialSource;
  /** Other credentials than before are used from now on. */
  readonly onRenewed: () => void;
}

/** Makes connections when they are first needed, and anew when the credentials are others than before. */
export function createRenewal({ endpoints, credentials, onRenewed }: RenewalOptions): RenewableConnections {
  let connections: Connections | undefined;
  let problem: string | undefined;
  let closed = false;

  async function read(): Promise<Connections> {
    const read = await credentials();
    if (closed) throw new ClientClosedError("any");
    if (connections !== undefined && sameCredentials(connections.credentials, read)) return connections;
    const before = connections;
    connections = openConnections(endpoints, read);
    before?.retire();
    if (before !== undefined) onRenewed();
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
      connections?.close();
    },
  };
}
