import { type LocalProcess, startProcess } from "../tools/local/process.ts";
import { requireProgram } from "../tools/local/programs.ts";

const CLIENTS = 32;

/** How `wrk` sends requests. */
export interface WrkOptions {
  readonly url: string;
  readonly seconds: number;
  /** A connection for each request. */
  readonly closes?: boolean;
  /** A script that makes clients wait between requests. */
  readonly script?: string;
}

/** What `wrk` has counted. */
export interface WrkCounts {
  readonly requests: number;
  /** Broken, refused or late requests, and answers other than 2xx and 3xx. */
  readonly failed: number;
}

/** A script that makes each client wait this long on average before each request, not all at the same moment. */
export function waitingScript(ms: number): string {
  return `function delay() return math.random(0, ${2 * ms}) end\n`;
}

/** 32 clients that send requests for this many seconds, or until they are stopped. */
export class Wrk implements AsyncDisposable {
  readonly #process: LocalProcess;

  constructor({ url, seconds, closes = false, script }: WrkOptions) {
    const args = [
      ...["-t", "1", "-c", String(CLIENTS), "-d", `${seconds}s`, "--timeout", "5s"],
      ...(closes ? ["-H", "Connection: close"] : []),
      ...(script === undefined ? [] : ["-s", script]),
      url,
    ];
    const command = requireProgram("wrk");
    this.#process = startProcess({ name: "wrk", command, args, signalIfOrphaned: "SIGKILL" });
  }

  /** Waits for the end of the time that was given, and returns the counts; throws when the signal aborts. */
  async counts(signal: AbortSignal): Promise<WrkCounts> {
    const stop = () => this.#process.kill("SIGTERM");
    signal.addEventListener("abort", stop);
    await this.#process.status;
    signal.removeEventListener("abort", stop);
    signal.throwIfAborted();
    return parseWrk(this.#process.lines.join("\n"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}

/**
 * Reads what `wrk` prints.
 *
 * @throws {Error} when it is not a report
 */
export function parseWrk(text: string): WrkCounts {
  const requests = /^\s*(\d+) requests in /m.exec(text)?.[1];
  if (requests === undefined) throw new Error(`Cannot read wrk's report: ${text}`);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const statuses = /Non-2xx or 3xx responses: (\d+)/.exec(text);
  const failures = [...(errors?.slice(1) ?? []), ...(statuses?.slice(1) ?? [])].map(Number);
  return { requests: Number(requests), failed: failures.reduce((sum, count) => sum + count, 0) };
}
