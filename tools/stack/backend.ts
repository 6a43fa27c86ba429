import type { LocalProcess } from "../local/process.ts";
import { pickPort } from "../local/ports.ts";
import { type StackContext, startDeno } from "./context.ts";

/** How long the registration of a backend that was killed stays, in seconds. */
export const LEASE_TTL = 3;

const PERMISSIONS = ["net", "read", "env", "sys"].map((name) => `--allow-${name}`);
// Nodes have 10 s to drain it; then it finishes what is in flight.
const STOP_DEADLINE_MS = 20_000;

/** One backend: the example service, which registers itself. */
export class Backend {
  readonly name: string;
  readonly port: number;
  readonly process: LocalProcess;

  /** @throws {Error} when it cannot be started. */
  constructor(context: StackContext, name: string, endpoints: readonly string[]) {
    this.name = name;
    this.port = pickPort();
    this.process = startDeno(context, {
      name,
      args: [...PERMISSIONS, "backend/main.ts"],
      env: {
        ETCD_ENDPOINTS: endpoints.join(),
        SERVICE_NAME: "backend",
        SERVICE_PORT: String(this.port),
        SERVICE_ADDRESS: "127.0.0.1",
        LEASE_TTL: String(LEASE_TTL),
        BACKEND_NAME: name,
      },
      // Asked to end, it would wait for nodes that end as well.
      signalIfOrphaned: "SIGKILL",
    });
  }

  /**
   * Asks it to stop, and waits until it has: nodes drain it, it ends, and its key goes.
   *
   * @returns who acknowledged that it gets no request any more, and after how long, in its own words
   */
  async stop(): Promise<string> {
    const { code, signal } = await this.process.stop({ deadlineMs: STOP_DEADLINE_MS });
    if (code !== 0) {
      throw new Error(`Cannot stop ${this.name} in order: it ended with ${signal ?? `code ${code}`}`);
    }
    const drained = this.process.lines.join("\n").match(/acknowledged by .+ after \d+ ms/)?.[0];
    if (drained === undefined) {
      throw new Error(`Cannot stop ${this.name} in order: it stopped although no node had acknowledged`);
    }
    return drained;
  }

  /** Ends it without warning, and waits for the end. */
  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.status;
  }
}
