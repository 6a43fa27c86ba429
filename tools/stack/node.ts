import type { LocalProcess } from "../local/process.ts";
import { requireProgram } from "../local/programs.ts";
import { waitFor } from "../local/wait.ts";
import { type StackContext, startDeno } from "./context.ts";
import type { NodeLayout } from "./layout.ts";
import { blaming } from "./process_failure.ts";

const READY_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 10_000;
const ONE_ANSWER_MS = 2_000;

const PERMISSIONS = ["net", "read", "write", "run", "env", "sys"].map((name) => `--allow-${name}`);

/** One load-balancer node: a controller and the HAProxy that it runs. */
export class LoadBalancerNode {
  readonly name: string;
  /** Where clients send their requests. */
  readonly trafficUrl: string;
  readonly statsUrl: string;
  /** Base of the admin endpoints, without a slash at its end. */
  readonly adminUrl: string;
  readonly process: LocalProcess;
  readonly #signal: AbortSignal;

  /** @throws {Error} when the controller cannot be started. */
  constructor(context: StackContext, layout: NodeLayout, endpoints: readonly string[]) {
    this.name = layout.name;
    this.trafficUrl = `http://127.0.0.1:${layout.trafficPort}/`;
    this.statsUrl = `http://127.0.0.1:${layout.statsPort}/`;
    this.adminUrl = `http://127.0.0.1:${layout.adminPort}`;
    this.#signal = context.signal;
    const dir = `${context.dir}/${layout.name}`;
    Deno.mkdirSync(dir, { mode: 0o700 });
    this.process = startDeno(context, {
      name: layout.name,
      args: [...PERMISSIONS, "main.ts", "run", ...nodeFlags(layout, endpoints, dir)],
      env: {
        HAPROXY_BIN: Deno.env.get("HAPROXY_BIN") ?? requireProgram("haproxy"),
        LOG_FORMAT: Deno.env.get("LOG_FORMAT") ?? "text",
      },
      // Killed, it would leave its HAProxy behind.
      signalIfOrphaned: "SIGTERM",
    });
  }

  /**
   * Waits until the node serves a state that came from etcd.
   *
   * @throws {ProcessFailure} when it does not within a minute.
   */
  untilReady(): Promise<void> {
    return this.#until(`${this.name} to be ready`, async (signal) => {
      const response = await get(`${this.adminUrl}/readyz`, signal);
      return response.status === 200;
    });
  }

  /** Waits until requests through the node are answered by a backend, as `untilReady()` does. */
  untilServing(): Promise<void> {
    return this.#until(`${this.name} to answer requests`, async (signal) => {
      const response = await get(this.trafficUrl, signal);
      return response.status === 200;
    });
  }

  /** Waits until HAProxy serves what etcd held at this revision or a newer one, as `untilReady()` does. */
  untilServed(revision: number): Promise<void> {
    return this.#until(`${this.name} to serve revision ${revision}`, async (signal) => {
      const { text } = await get(`${this.adminUrl}/api/state`, signal);
      const state: { revision?: unknown; lagMs?: unknown } = JSON.parse(text);
      return Number(state.revision) >= revision && state.lagMs === 0;
    });
  }

  /** Stops the controller, which stops HAProxy. */
  async stop(): Promise<void> {
    await this.process.stop({ deadlineMs: STOP_DEADLINE_MS });
  }

  async #until(what: string, condition: (signal: AbortSignal) => Promise<boolean>): Promise<void> {
    const options = { deadlineMs: READY_DEADLINE_MS, signal: this.#signal };
    await blaming(this.process, () => waitFor(what, condition, options));
  }
}

function nodeFlags(layout: NodeLayout, endpoints: readonly string[], dir: string): string[] {
  return [
    ...["--endpoints", endpoints.join(), "--node-id", layout.name],
    ...["--bind", `127.0.0.1:${layout.trafficPort}`],
    ...["--stats-bind", `127.0.0.1:${layout.statsPort}`],
    ...["--admin-bind", `127.0.0.1:${layout.adminPort}`],
    ...["--config", `${dir}/haproxy.cfg`, "--state-dir", dir],
  ];
}

async function get(url: string, signal: AbortSignal): Promise<{ status: number; text: string }> {
  const response = await fetch(url, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(ONE_ANSWER_MS)]),
  });
  return { status: response.status, text: await response.text() };
}
