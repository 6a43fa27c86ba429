// An HTTP client that shows every failed request. Deno's node:http and fetch send a request again on a new
// connection when a reused one breaks, so a failure that a plain client would see never shows in their counts.

import { type HttpReply, readReply } from "./http_reply.ts";

const READ_SIZE = 16_384;

/** A connection for GET requests, one after the other. Nothing is ever sent twice. */
export class HttpConnection {
  readonly #connection: Deno.TcpConn;
  readonly #host: string;
  readonly #buffer = new Uint8Array(READ_SIZE);
  #idleRead: Promise<Uint8Array | null> | undefined;
  #usable = true;

  private constructor(connection: Deno.TcpConn, host: string) {
    this.#connection = connection;
    this.#host = host;
  }

  /** Connects to the host and port of a URL. Rejects as `Deno.connect` does. */
  static async open(url: URL): Promise<HttpConnection> {
    const connection = await Deno.connect({ hostname: url.hostname, port: Number(url.port || 80) });
    connection.setNoDelay(true);
    return new HttpConnection(connection, url.host);
  }

  /** Whether another request may be sent: the server has kept the connection open, as far as can be seen. */
  get usable(): boolean {
    return this.#usable;
  }

  /**
   * Sends one GET and reads its answer. `keepAlive` false asks the server to close the connection after it.
   *
   * @throws {BrokenReplyError} when the connection ends before the answer does, or the errors of `Deno.Conn`.
   */
  async get(path: string, options: { keepAlive: boolean }): Promise<HttpReply> {
    try {
      await this.#send(path, options.keepAlive);
      const reply = await readReply(() => this.#read());
      this.#usable = options.keepAlive && reply.keepAlive;
      if (this.#usable) this.#watchIdle();
      return reply;
    } catch (error) {
      this.#usable = false;
      throw error;
    }
  }

  /** Closes the connection; what runs on it fails. */
  close(): void {
    this.#usable = false;
    try {
      this.#connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #send(path: string, keepAlive: boolean): Promise<void> {
    const connection = keepAlive ? "keep-alive" : "close";
    const text = `GET ${path} HTTP/1.1\r\nhost: ${this.#host}\r\nconnection: ${connection}\r\n\r\n`;
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }

  async #read(): Promise<Uint8Array | null> {
    const idle = this.#idleRead;
    this.#idleRead = undefined;
    if (idle !== undefined) return await idle;
    const count = await this.#connection.read(this.#buffer);
    return count === null ? null : this.#buffer.slice(0, count);
  }

  // While no request runs, the only thing to read is the end of the connection: a client that has seen it does not
  // send the next request there.
  #watchIdle(): void {
    const read = this.#read();
    this.#idleRead = read;
    const ended = () => {
      if (this.#idleRead === read) this.#usable = false;
    };
    read.then((chunk) => chunk === null && ended(), ended);
  }
}
