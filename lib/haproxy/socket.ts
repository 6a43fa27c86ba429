import { ControllerError, messageOf } from "../util/errors.ts";

/** How long one question to HAProxy may take, in milliseconds, unless the caller says otherwise. */
export const ASK_TIMEOUT_MS = 2_000;

/** Whether an error of this folder says that the other side took the connection and did not answer in time. */
export function isTimeout(error: unknown): boolean {
  return error instanceof ControllerError && error.cause instanceof DOMException &&
    error.cause.name === "TimeoutError";
}

/** The cause of an error that `isTimeout` knows. */
export function timeoutAfter(timeoutMs: number): DOMException {
  return new DOMException(`no answer within ${timeoutMs} ms`, "TimeoutError");
}

/**
 * Writes one line to a unix socket of HAProxy and returns all that is answered until the other side closes.
 *
 * @throws {ControllerError} (transient) when the socket cannot be reached or does not answer in time
 */
export async function ask(path: string, line: string, timeoutMs = ASK_TIMEOUT_MS): Promise<string> {
  let connection: Deno.UnixConn | undefined;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    closeQuietly(connection);
  }, timeoutMs);
  try {
    connection = await Deno.connect({ transport: "unix", path });
    if (timedOut) throw timeoutAfter(timeoutMs);
    await writeAll(connection, new TextEncoder().encode(`${line}\n`));
    return await readToEnd(connection);
  } catch (error) {
    const cause = timedOut ? timeoutAfter(timeoutMs) : error;
    const command = line.split(/[ ;]/).slice(0, 2).join(" ");
    throw new ControllerError(
      "transient",
      `Cannot ask HAProxy "${command}" on ${path}: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  } finally {
    clearTimeout(timer);
    closeQuietly(connection);
  }
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Most answers are short, and some are of megabytes. */
const BUFFER = { first: 2 * 1024, next: 64 * 1024 };

async function readToEnd(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  let buffer = new Uint8Array(BUFFER.first);
  let text = "";
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return text + decoder.decode();
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
    if (count === buffer.length && count < BUFFER.next) buffer = new Uint8Array(BUFFER.next);
  }
}

function closeQuietly(connection: Deno.Conn | undefined): void {
  try {
    connection?.close();
  } catch {
    // Closed already.
  }
}
