/** One server as a worker runs it. */
export interface ObservedServer {
  readonly name: string;
  readonly id: number;
  /** Undefined while the address is a name that was not resolved, or no IP address at all. */
  readonly ip: string | undefined;
  readonly port: number;
  /** The configured name of a server that is resolved by DNS. */
  readonly fqdn: string | undefined;
  readonly weight: number;
  readonly maint: boolean;
  /** It was told to drain; a configuration cannot say that. */
  readonly draining: boolean;
  /** Whether HAProxy sends requests to it, as far as its health goes. */
  readonly up: boolean;
  /** The row as HAProxy printed it, for the server-state file. It is not split, because thousands of rows are kept. */
  readonly row: string;
}

/** Servers by backend and by name. */
export type ObservedServers = ReadonlyMap<string, ReadonlyMap<string, ObservedServer>>;

/** What HAProxy runs, asked from the worker itself. */
export type Observed =
  /** Whether an HAProxy runs is not known yet: one may be there to be adopted, and its file must not be touched. */
  | { readonly kind: "starting" }
  /** No HAProxy runs. */
  | { readonly kind: "down"; readonly reason: string }
  /** HAProxy runs, but its runtime socket is not there or answers something else. */
  | { readonly kind: "silent"; readonly reason: string }
  /** The worker accepts connections and does not answer, so it serves no client; a reload would wait for it. */
  | { readonly kind: "stuck"; readonly reason: string }
  | {
    readonly kind: "up";
    /** The digest of the base that the worker was started from; undefined when it was not started from our text. */
    readonly base: string | undefined;
    readonly servers: ObservedServers;
  };

/** A look that costs HAProxy nothing: which worker runs, and from which base it was started. */
export interface Processes {
  readonly workerPid: number | undefined;
  readonly base: string | undefined;
  /** Workers that a reload retired and that still hold connections. */
  readonly oldWorkers: number;
}
