import { HttpConnection } from "./http_connection.ts";
import { BrokenReplyError, type HttpReply } from "./http_reply.ts";
import { Chapter } from "./load_counts.ts";
import { pause, waitFor } from "./wait.ts";

export { type Answer, Chapter, type Failure, LoadCounts, type Sighting, type Slice } from "./load_counts.ts";

/** One URL and the clients that ask it. */
export interface LoadTarget {
  /** How it is called in the counts. */
  name: string;
  url: string;
  /** Clients that each keep one connection open. */
  keepAliveClients?: number;
  /** Clients that open a connection for each request. */
  oneShotClients?: number;
}

/** What load to make. */
export interface LoadOptions {
  targets: readonly LoadTarget[];
  /** What each client waits between an answer and its next request, in milliseconds; this bounds the load. */
  pauseMs?: number;
  /** A request without a complete answer by then has failed. */
  timeoutMs?: number;
  /** Length of the slices in which each chapter is counted too. */
  sliceMs?: number;
  /** Returns the backend that answered; without it, the answer's body is its name. */
  backendOf?: (reply: HttpReply) => string;
}

/** Which answers to look for, and until when. */
export interface SightingOptions {
  /** Only answers through this target; without it, through any. */
  target?: string;
  deadlineMs?: number;
  signal?: AbortSignal;
}

/** The load of several clients over real sockets. No request is ever repeated, so every failure counts. */
export class Load implements AsyncDisposable {
  readonly #options: LoadOptions;
  readonly #ending = new AbortController();
  readonly #chapters: Chapter[] = [];
  readonly #clients: Promise<void>[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
    this.mark("start");
  }

  /** All chapters, the running one last. */
  get chapters(): readonly Chapter[] {
    return this.#chapters;
  }

  /** The running chapter. */
  get chapter(): Chapter {
    const chapter = this.#chapters.at(-1);
    if (chapter === undefined) throw new Error("Cannot count: there is no chapter");
    return chapter;
  }

  /** How many clients there are, which is also how many requests can run at once. */
  get clientCount(): number {
    return this.#options.targets.reduce((sum, target) => sum + clientKinds(target).length, 0);
  }

  /** Starts the clients. */
  start(): void {
    if (this.#clients.length > 0) throw new Error("Cannot start the load: it was started before");
    for (const target of this.#options.targets) {
      for (const keepAlive of clientKinds(target)) this.#clients.push(this.#runClient(target, keepAlive));
    }
  }

  /** Begins a chapter with counts of its own, and returns it. */
  mark(name: string): Chapter {
    const names = this.#options.targets.map((target) => target.name);
    const chapter = new Chapter(name, names, this.#options.sliceMs ?? 100);
    this.#chapters.push(chapter);
    return chapter;
  }

  /** Lets running requests end, stops the clients and waits for them. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#clients);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * Waits until this backend has answered in the running chapter.
   *
   * @returns when its first answer came, in milliseconds of `performance.now()`.
   * @throws {Error} when it has not by the deadline.
   */
  async firstAnswerFrom(backend: string, options: SightingOptions = {}): Promise<number> {
    const counts = this.#countsOf(options.target);
    const what = `an answer from ${backend} ${through(options.target)}`;
    return await waitFor(what, () => counts.sightings.get(backend)?.firstAt, waiting(options));
  }

  /**
   * Waits until `quietMs` have passed in which others answered and this backend did not, in the running chapter.
   *
   * @returns when its last answer came, in milliseconds of `performance.now()`; the chapter's start if none came.
   * @throws {Error} when it still answers at the deadline.
   */
  async lastAnswerFrom(backend: string, options: SightingOptions & { quietMs: number }): Promise<number> {
    const counts = this.#countsOf(options.target);
    const started = this.chapter.startedAt;
    const what = `no more answers from ${backend} ${through(options.target)}`;
    return await waitFor(what, () => {
      const last = counts.sightings.get(backend)?.lastAt ?? started;
      const others = counts.lastAnswerAt ?? started;
      return others - last >= options.quietMs ? last : false;
    }, waiting(options));
  }

  #countsOf(target: string | undefined) {
    return target === undefined ? this.chapter.all : this.chapter.target(target);
  }

  async #runClient(target: LoadTarget, keepAlive: boolean): Promise<void> {
    const { pauseMs = 20, timeoutMs = 5_000, backendOf = (reply) => reply.body } = this.#options;
    const client = new Client(new URL(target.url), { keepAlive, timeoutMs });
    // Not all at once: clients in step would show a backend only once per step.
    await pause(Math.random() * pauseMs, this.#ending.signal);
    while (!this.#ending.signal.aborted) {
      const startedAt = performance.now();
      const result = await client.ask();
      const about = { target: target.name, startedAt, endedAt: performance.now() };
      if (typeof result === "string") this.chapter.addFailure({ ...about, kind: result });
      else this.chapter.addAnswer({ ...about, backend: backendOf(result) });
      await pause(pauseMs, this.#ending.signal);
    }
    client.close();
  }
}

function clientKinds({ keepAliveClients = 0, oneShotClients = 0 }: LoadTarget): boolean[] {
  return [...Array(keepAliveClients).fill(true), ...Array(oneShotClients).fill(false)];
}

function through(target: string | undefined): string {
  return target === undefined ? "through any target" : `through ${target}`;
}

function waiting({ deadlineMs, signal }: SightingOptions) {
  return {
    everyMs: 5,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(signal === undefined ? {} : { signal }),
  };
}

interface ClientOptions {
  keepAlive: boolean;
  timeoutMs: number;
}

class Client {
  readonly #url: URL;
  readonly #options: ClientOptions;
  #connection: HttpConnection | undefined;

  constructor(url: URL, options: ClientOptions) {
    this.#url = url;
    this.#options = options;
  }

  /** One request: its answer, or the kind of its failure. */
  async ask(): Promise<HttpReply | string> {
    const expiry = new AbortController();
    const timer = setTimeout(() => expiry.abort(), this.#options.timeoutMs);
    const expired = new Promise<string>((resolve) =>
      expiry.signal.addEventListener("abort", () => resolve("timeout"))
    );
    const result = await Promise.race([expired, this.#exchange(expiry.signal).catch(failureKind)]);
    clearTimeout(timer);
    if (this.#connection?.usable === false) this.close();
    if (typeof result === "string" || result.status < 400) return result;
    return `status ${result.status}`;
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #exchange(expiry: AbortSignal): Promise<HttpReply> {
    const connection = await this.#connect();
    // A connection attempt cannot be cancelled: a connection that comes too late is closed here.
    if (expiry.aborted) connection.close();
    expiry.addEventListener("abort", () => connection.close());
    this.#connection = connection;
    return await connection.get(this.#url.pathname + this.#url.search, this.#options);
  }

  async #connect(): Promise<HttpConnection> {
    if (this.#connection?.usable) return this.#connection;
    this.close();
    return await HttpConnection.open(this.#url);
  }
}

function failureKind(error: unknown): string {
  if (error instanceof BrokenReplyError) return error.bytes === 0 ? "closed" : "short";
  if (error instanceof Deno.errors.ConnectionRefused) return "refused";
  if (error instanceof Deno.errors.ConnectionReset) return "reset";
  if (error instanceof Deno.errors.BrokenPipe) return "reset";
  if (error instanceof Error) return error.name;
  return String(error);
}
