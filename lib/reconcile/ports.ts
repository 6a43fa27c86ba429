import type { Candidate } from "../plan/probe_targets.ts";
import type { Observed, ObservedServers, Processes } from "../plan/observed.ts";
import type { Step } from "../plan/step.ts";

/** One complaint of HAProxy about a file, with the line or the server that it names. Lines count from 1. */
export interface Alert {
  readonly line: number | undefined;
  readonly server: { readonly backend: string; readonly server: string } | undefined;
  readonly message: string;
}

/** What HAProxy says of a file. */
export type CheckResult = { readonly kind: "valid" } | {
  readonly kind: "refused";
  readonly alerts: readonly Alert[];
};

/** How a reload ended. */
export type ReloadResult = { readonly kind: "loaded" } | { readonly kind: "failed"; readonly reason: string };

/** A text in a temporary file, beside the file that it is meant to replace. */
export interface StagedFile {
  readonly path: string;
  /** Replaces the target atomically; after it both file and directory are on disk. */
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** HAProxy's error replies to a change. They do not tell what was reached. */
export interface ChangeResult {
  readonly errors: readonly string[];
}

/** The HAProxy of this node, as far as a pass needs it. */
export interface HaproxyPort {
  /** Which worker runs, and from which base. */
  processes(): Promise<Processes>;
  /** All that the worker runs. */
  observe(): Promise<Observed>;
  /** What the worker runs in these backends; throws a ControllerError when it does not answer. */
  observeBackends(backends: readonly string[]): Promise<ObservedServers>;
  readConfig(): Promise<string | undefined>;
  /** The text that was kept last by `keepLastGood`, also by an earlier run. */
  readLastGood(): Promise<string | undefined>;
  stageConfig(text: string): Promise<StagedFile>;
  check(path: string): Promise<CheckResult>;
  /** Makes steps while HAProxy runs; unready servers, given by key, get no request until they passed a probe. */
  change(steps: readonly Step[], unready: ReadonlySet<string>): Promise<ChangeResult>;
  /** Tries to bind an address for a moment; returns what prevents it, if anything does. */
  tryBind(address: string): Promise<string | undefined>;
  /** Writes the server-state file, or removes it when there is no text. */
  writeServerState(text: string | undefined): Promise<void>;
  reload(): Promise<ReloadResult>;
  /** Keeps a text that HAProxy was verified to run, to start from when the file on disk is not valid. */
  keepLastGood(text: string): Promise<void>;
}

/** Whether HAProxy runs. */
export type HaproxyState =
  /** `reason` is what keeps an HAProxy that is there from being adopted. */
  | { readonly kind: "starting"; readonly reason?: string }
  | { readonly kind: "up"; readonly pid: number; readonly adopted: boolean }
  | { readonly kind: "down"; readonly reason: string; readonly retryInMs: number }
  | { readonly kind: "stopped" };

/** Whether one side of HAProxy answers. */
export type SocketState =
  | { readonly kind: "answers" }
  /** Its socket is missing, or belongs to another process; HAProxy itself may keep serving. */
  | { readonly kind: "lost"; readonly reason: string }
  /** It accepts connections and does not answer. */
  | { readonly kind: "stuck"; readonly reason: string };

/** The state of both sockets of HAProxy: the worker's, which serves, and the master's, which reloads. */
export interface SocketHealth {
  readonly worker: SocketState;
  readonly master: SocketState;
}

/** Lets servers get traffic once they passed a probe. */
export interface Admission {
  /** Starts to probe; earlier probes of the same servers are dropped. */
  begin(candidates: readonly Candidate[]): AdmissionRound;
  /** How many servers are unready and still being probed. */
  probing(): number;
}

/** The candidates of one pass. */
export interface AdmissionRound {
  /** Waits until all were probed, for a bounded time, and returns the keys of the servers that did not pass. */
  unready(): Promise<ReadonlySet<string>>;
  /** HAProxy knows the servers now: a server that passes later is brought up. */
  confirm(): void;
}
