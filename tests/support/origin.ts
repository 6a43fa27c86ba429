import { pickPort } from "../../tools/local/ports.ts";
import { pause } from "../../tools/local/wait.ts";

/** How an origin answers; each can be changed while it runs. */
export interface OriginBehaviour {
  /** The body of every answer. */
  name: string;
  /** Milliseconds that an answer takes. */
  delayMs: number;
  /** The status of every answer. */
  status: number;
}

/** An HTTP server in this process, used as a backend. Disposing it closes it abruptly. */
export class Origin implements AsyncDisposable {
  /** How it answers from now on. */
  readonly behaviour: OriginBehaviour;
  readonly port: number;
  /** `127.0.0.1:port`, as an entry in the registry says it. */
  readonly address: string;
  readonly url: string;
  readonly #server: Deno.HttpServer;
  readonly #closing = new AbortController();
  #held: PromiseWithResolvers<void> | undefined;
  #requests = 0;
  #inFlight = 0;

  constructor(behaviour: OriginBehaviour, port: number) {
    this.behaviour = behaviour;
    this.port = port;
    this.address = `127.0.0.1:${port}`;
    this.url = `http://${this.address}/`;
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port,
      signal: this.#closing.signal,
      onListen: () => {},
    }, () => this.#answer());
  }

  /** How many requests have arrived. */
  get requests(): number {
    return this.#requests;
  }

  /** How many requests have arrived and not been answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests that arrive from now on are answered when `release()` is called, and not before. */
  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  /** Answers every request that is held, and answers later ones at once. */
  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Lets running requests end, then closes. */
  async stop(): Promise<void> {
    await this.#server.shutdown();
  }

  /** Closes the port and every connection at once; running requests get no answer. */
  async closeAbruptly(): Promise<void> {
    this.release();
    this.#closing.abort();
    await this.#server.finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeAbruptly();
  }

  async #answer(): Promise<Response> {
    const { name, delayMs, status } = this.behaviour;
    this.#requests++;
    this.#inFlight++;
    await this.#held?.promise;
    if (delayMs > 0) await pause(delayMs, this.#closing.signal);
    this.#inFlight--;
    return new Response(name, { status });
  }
}

/** Starts an origin called `name` on this port of 127.0.0.1, or on a free one. It answers 200 without delay. */
export function startOrigin(
  name: string,
  options: Partial<OriginBehaviour> & { port?: number } = {},
): Origin {
  const { port = pickPort(), delayMs = 0, status = 200 } = options;
  return new Origin({ name, delayMs, status }, port);
}
