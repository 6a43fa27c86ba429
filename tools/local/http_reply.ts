const HEAD_END = "\r\n\r\n";

/** An HTTP answer that arrived completely. */
export interface HttpReply {
  status: number;
  /** By lower-case name; of a repeated header, the last. */
  headers: ReadonlyMap<string, string>;
  /** One character for each byte (Latin-1). */
  body: string;
  /** Whether the server leaves the connection open for another request. */
  keepAlive: boolean;
}

/** An answer that broke off: the connection ended inside it, or before its first byte. */
export class BrokenReplyError extends Error {
  override readonly name = "BrokenReplyError";

  /** @param bytes how much of the answer had arrived. */
  constructor(readonly bytes: number) {
    super(bytes === 0 ? "The connection was closed without an answer" : "The answer broke off");
  }
}

/** Reads bytes as they come; nothing at the end of the stream. */
export type ReadChunk = () => Promise<Uint8Array | null>;

/**
 * Reads one HTTP/1.1 answer to a GET.
 *
 * @throws {BrokenReplyError} when the stream ends before the answer does.
 */
export async function readReply(read: ReadChunk): Promise<HttpReply> {
  const buffer = new ReplyBuffer(read);
  while (true) {
    const head = await buffer.takeTo(HEAD_END);
    const [statusLine = "", ...lines] = head.split("\r\n");
    const status = Number(statusLine.split(" ")[1]);
    if (status >= 100 && status < 200) continue;
    const headers = readHeaders(lines);
    const body = await readBody(buffer, headers, status);
    return {
      status,
      headers,
      body: body.text,
      keepAlive: body.delimited && mayKeepAlive(statusLine, headers),
    };
  }
}

function readHeaders(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

function mayKeepAlive(statusLine: string, headers: ReadonlyMap<string, string>): boolean {
  return statusLine.startsWith("HTTP/1.1") && headers.get("connection")?.toLowerCase() !== "close";
}

interface Body {
  text: string;
  /** The end of the body was marked by something else than the end of the connection. */
  delimited: boolean;
}

async function readBody(
  buffer: ReplyBuffer,
  headers: ReadonlyMap<string, string>,
  status: number,
): Promise<Body> {
  if (status === 204 || status === 304) return { text: "", delimited: true };
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") {
    return { text: await readChunked(buffer), delimited: true };
  }
  const length = headers.get("content-length");
  if (length !== undefined) return { text: await buffer.take(Number(length)), delimited: true };
  return { text: await buffer.takeAll(), delimited: false };
}

async function readChunked(buffer: ReplyBuffer): Promise<string> {
  let text = "";
  while (true) {
    const size = Number.parseInt(await buffer.takeTo("\r\n"), 16);
    if (size === 0) break;
    text += await buffer.take(size);
    await buffer.take(2);
  }
  while (await buffer.takeTo("\r\n") !== "");
  return text;
}

// Holds the answer as Latin-1 text, one character a byte, so that lengths are those of the wire.
class ReplyBuffer {
  readonly #read: ReadChunk;
  readonly #decoder = new TextDecoder("latin1");
  #text = "";
  #bytes = 0;

  constructor(read: ReadChunk) {
    this.#read = read;
  }

  async takeTo(mark: string): Promise<string> {
    while (!this.#text.includes(mark)) await this.#more();
    const text = this.#text.slice(0, this.#text.indexOf(mark));
    this.#text = this.#text.slice(text.length + mark.length);
    return text;
  }

  async take(length: number): Promise<string> {
    while (this.#text.length < length) await this.#more();
    const text = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return text;
  }

  async takeAll(): Promise<string> {
    while (await this.#fill());
    return this.#text;
  }

  async #more(): Promise<void> {
    if (!await this.#fill()) throw new BrokenReplyError(this.#bytes);
  }

  async #fill(): Promise<boolean> {
    const chunk = await this.#read();
    if (chunk === null) return false;
    this.#bytes += chunk.length;
    this.#text += this.#decoder.decode(chunk);
    return true;
  }
}
