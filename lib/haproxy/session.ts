import { ControllerError, messageOf } from "../util/errors.ts";
import { timeoutAfter } from "./socket.ts";

/** A connection to the runtime socket that stays open for many commands. */
export interface Session {
  /**
   * Sends command lines in one go and returns all that was answered to them.
   *
   * @throws {ControllerError} (transient) when the worker does not answer in time; nothing is known of the lines then
   */
  send(lines: readonly string[]): Promise<string>;
  close(): void;
}

const TIMEOUT_MS = 5_000;
/** Asked after each batch: when its answer is there, everything before it was carried out. */
const SENTINEL = { command: "show env ETCD_HAPROXY_SENTINEL", answer: "Variable not found" };

/**
 * Opens a session in prompt mode with numbered severities (management manual, 9.3 "prompt", "set severity-output").
 *
 * @throws {ControllerError} (transient) when the socket cannot be reached
 */
export async function openSession(path: string): Promise<Session> {
  const connection = await connect(path);
  const reader = createReader(connection, path);
  const send = async (lines: readonly string[]) => {
    const text = [...lines, SENTINEL.command].map((line) => `${line}\n`).join("");
    const [reply] = await Promise.all([reader.until(SENTINEL.answer), writeAll(connection, text, path)]);
    return reply;
  };
  const close = () => {
    reader.stop();
    closeQuietly(connection);
  };
  try {
    await send(["prompt", "set severity-output number"]);
    return { send, close };
  } catch (error) {
    close();
    throw error;
  }
}

async function connect(path: string): Promise<Deno.UnixConn> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    throw new ControllerError("transient", `Cannot reach HAProxy on ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function writeAll(connection: Deno.Conn, text: string, path: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  } catch (error) {
    throw new ControllerError(
      "transient",
      `Cannot send commands to HAProxy on ${path}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function createReader(connection: Deno.Conn, path: string) {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const readUntil = async (mark: string): Promise<string> => {
    let text = "";
    while (!text.includes(mark)) {
      const count = await connection.read(buffer);
      if (count === null) throw new Error("the worker closed the connection");
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    // The line of the mark itself may start with a severity, which is none of the commands'.
    return text.slice(0, text.lastIndexOf("\n", text.indexOf(mark)) + 1);
  };
  const until = async (mark: string): Promise<string> => {
    let timedOut = false;
    timer = setTimeout(() => {
      timedOut = true;
      closeQuietly(connection);
    }, TIMEOUT_MS);
    try {
      return await readUntil(mark);
    } catch (error) {
      const cause = timedOut ? timeoutAfter(TIMEOUT_MS) : error;
      throw new ControllerError("transient", `Cannot change HAProxy on ${path}: ${messageOf(cause)}`, {
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
  };
  return { until, stop: () => clearTimeout(timer) };
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
