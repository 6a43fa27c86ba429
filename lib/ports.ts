import type { Observed } from "./observed.ts";

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

/** A text that stands in a temporary file beside the one that it is meant to replace. */
export interface StagedFile {
  readonly path: string;
  /** Replaces the target atomically; after it both file and directory are on disk. */
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** The HAProxy of this node, as far as a pass needs it. */
export interface HaproxyPort {
  observe(): Promise<Observed>;
  /** Workers that were retired by a reload and still hold connections. */
  oldWorkers(): Promise<number>;
  readConfig(): Promise<string | undefined>;
  stageConfig(text: string): Promise<StagedFile>;
  check(path: string): Promise<CheckResult>;
  /** Writes the server-state file, or removes it when there is no text. */
  writeServerState(text: string | undefined): Promise<void>;
  reload(): Promise<ReloadResult>;
  /** Keeps a text that HAProxy was verified to run, to start from when the file on disk is not valid. */
  keepLastGood(text: string): Promise<void>;
}

/** Whether HAProxy runs. */
export type HaproxyState =
  | { readonly kind: "starting" }
  | { readonly kind: "up"; readonly pid: number; readonly adopted: boolean }
  | { readonly kind: "down"; readonly reason: string; readonly retryInMs: number }
  | { readonly kind: "stopped" };
