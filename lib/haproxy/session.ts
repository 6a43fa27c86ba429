import { closeQuietly, writeAll } from "../util/connection.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import { within } from "../util/time.ts";

/** A connection to the runtime socket that stays open for many commands. */
export interface Session {
  /**
   * Sends command lines and returns the answers.
   *
   * @throws {ControllerError} (transient) when the worker does not answer in time; it may have executed some lines
   */
  send(lines: readonly string[]): Promise<string>;
  close(): void;
}

const TIMEOUT_MS = 5_000;
/** Sent after each batch: its answer tells that all lines before it were executed. */
const SENTINEL = { command: "show env ETCD_HAPROXY_SENTINEL", answer: "Variable not found" };

/**
 * Opens a session in prompt mode with numbered severities (management manual, 9.3 "prompt", "set severity-output").
 *
 * @throws {ControllerError} (transient) when the socket cannot be reached
 */
export async function openSession(path: string): Promise<Session> {
  const failed = (cause: unknown) =>
    new ControllerError("transient", `Cannot change HAProxy on ${path}: ${messageOf(cause)}`, { cause });
  const connection = await Deno.connect({ transport: "unix", path }).catch((error) => {
    throw failed(error);
  });
  const close = () => closeQuietly(connection);
  const read = createReader(connection);
  const send = async (lines: readonly string[]) => {
    const text = [...lines, SENTINEL.command].map((line) => `${line}\n`).join("");
    const written = writeAll(connection, new TextEncoder().encode(text));
    try {
      const [reply] = await within(Promise.all([read(SENTINEL.answer), written]), { limitMs: TIMEOUT_MS });
      return reply;
    } catch (error) {
      close();
      throw failed(error);
    }
  };
  await send(["prompt", "set severity-output number"]);
  return { send, close };
}

/** Reads all lines before the one with the mark. That line itself is left out: it may start with a severity. */
function createReader(connection: Deno.Conn): (mark: string) => Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  return async (mark) => {
    let text = "";
    while (!text.includes(mark)) {
      const count = await connection.read(buffer);
      if (count === null) throw new Error("the worker closed the connection");
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    return text.slice(0, text.lastIndexOf("\n", text.indexOf(mark)) + 1);
  };
}
