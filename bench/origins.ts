import { pickPort, pickPorts } from "../tools/local/ports.ts";
import { type LocalProcess, startProcess } from "../tools/local/process.ts";
import { requireProgram } from "../tools/local/programs.ts";
import { waitFor } from "../tools/local/wait.ts";

const CONFIG = `
defaults
    mode http
    timeout client 60s
    timeout http-keep-alive 60s
frontend origins
`;

/** Servers that answer faster than anything in front of them: an HAProxy with a fixed answer. */
export class FastOrigins implements AsyncDisposable {
  readonly addresses: readonly string[];
  readonly #process: LocalProcess;

  private constructor(addresses: readonly string[], process: LocalProcess) {
    this.addresses = addresses;
    this.#process = process;
  }

  /** Starts `count` origins; their configuration goes into `dir`. */
  static async start(count: number, dir: string): Promise<FastOrigins> {
    const addresses = pickPorts(count).map((port) => `127.0.0.1:${port}`);
    const config = `${dir}/origins.cfg`;
    const binds = addresses.map((address) => `    bind ${address}\n`).join("");
    const answer = `    http-request return status 200 content-type text/plain string "fast"\n`;
    await Deno.writeTextFile(config, `${CONFIG}${binds}${answer}`);
    const args = ["-db", "-f", config];
    const command = requireProgram("haproxy");
    const process = startProcess({ name: "origins", command, args, signalIfOrphaned: "SIGKILL" });
    await waitFor("the origins", async () => (await fetch(`http://${addresses[0]}/`)).text());
    return new FastOrigins(addresses, process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}

/** An origin that remembers when it answered first and last. */
export class Guest implements AsyncDisposable {
  readonly address: string;
  /** When the first answer since `forget()` was given. */
  firstAt: number | undefined;
  lastAt = 0;
  readonly #server: Deno.HttpServer;

  constructor() {
    const port = pickPort();
    this.address = `127.0.0.1:${port}`;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, () => this.#answer());
  }

  forget(): void {
    this.firstAt = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  #answer(): Response {
    this.lastAt = performance.now();
    this.firstAt ??= this.lastAt;
    return new Response("guest");
  }
}
