import { etcdctlEnvironment } from "../local/etcdctl.ts";
import { startProcess } from "../local/process.ts";
import { requireProgram } from "../local/programs.ts";
import { waitFor } from "../local/wait.ts";
import type { StackContext } from "./context.ts";

/** A change of a registration, as a watcher of etcd saw it. */
export interface RegistryEvent {
  kind: "put" | "delete";
  key: string;
  /** Empty for a delete. */
  value: string;
  revision: number;
  /** When it was seen, in milliseconds of `performance.now()`. */
  at: number;
}

/** Watches the registrations with `etcdctl watch`, to time what comes of them. */
export class RegistryWatch implements AsyncDisposable {
  readonly #events: RegistryEvent[] = [];
  readonly #process;
  readonly #signal: AbortSignal;

  constructor(context: StackContext, endpoints: readonly string[]) {
    this.#signal = context.signal;
    this.#process = startProcess({
      name: "registry-watch",
      command: requireProgram("etcdctl"),
      args: ["--endpoints", endpoints.join(), "watch", "--prefix", "/services/", "--rev", "1", "-w", "json"],
      env: etcdctlEnvironment(),
      logFile: `${context.logDir}/registry-watch.log`,
      detached: true,
      signalIfOrphaned: "SIGKILL",
      onLine: (line) => this.#events.push(...readEvents(line, performance.now())),
      onUnexpectedExit: context.onUnexpectedExit,
    });
  }

  /** Waits for the backend on this port to be registered. */
  untilReady(port: number): Promise<RegistryEvent> {
    return this.#until(`port ${port} to be registered`, (event) => registers(event, port));
  }

  /** Waits for the registration of this port to say that it drains. */
  untilDraining(port: number): Promise<RegistryEvent> {
    const drains = (event: RegistryEvent) => registers(event, port) && event.value.includes("drain");
    return this.#until(`port ${port} to drain`, drains);
  }

  /** Waits for the registration of this port to be gone. */
  async untilGone(port: number): Promise<RegistryEvent> {
    const { key } = await this.untilReady(port);
    return await this.#until(`${key} to be gone`, (event) => event.kind === "delete" && event.key === key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }

  #until(what: string, matches: (event: RegistryEvent) => boolean): Promise<RegistryEvent> {
    const options = { deadlineMs: 30_000, everyMs: 10, signal: this.#signal };
    return waitFor(what, () => this.#events.find(matches), options);
  }
}

function registers(event: RegistryEvent, port: number): boolean {
  return event.kind === "put" && new RegExp(`(?<!\\d)${port}(?!\\d)`).test(event.value);
}

// What `etcdctl watch -w json` writes: one response a line, bytes in base64, no type for a put.
interface WatchResponse {
  Events?: { type?: number | string; kv: { key: string; value?: string; mod_revision: number } }[];
}

function readEvents(line: string, at: number): RegistryEvent[] {
  if (!line.startsWith("{")) return [];
  const response: WatchResponse = JSON.parse(line);
  if (!Array.isArray(response.Events)) return [];
  return response.Events.map(({ type, kv }) => ({
    kind: type === 1 || type === "DELETE" ? "delete" : "put",
    key: atob(kv.key),
    value: atob(kv.value ?? ""),
    revision: kv.mod_revision,
    at,
  }));
}
