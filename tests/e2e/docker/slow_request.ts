/** A request whose last byte the client keeps back: it is in flight until `finish()`. */
export class SlowRequest implements Disposable {
  readonly #connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Sends all but the last byte. */
  static async start(port: number): Promise<SlowRequest> {
    const request = new SlowRequest(await Deno.connect({ hostname: "127.0.0.1", port }));
    await request.#send(
      "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 2\r\n\r\na",
    );
    return request;
  }

  /** Sends the last byte and returns the whole answer, its head included. */
  async finish(): Promise<string> {
    await this.#send("b");
    return await new Response(this.#connection.readable).text();
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // Reading to the end has closed it.
    }
  }

  async #send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }
}
