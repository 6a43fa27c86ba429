import { closeQuietly, writeAll } from "../util/connection.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import { TimeUpError, within } from "../util/time.ts";

/** How long one question to HAProxy may take, in milliseconds, unless the caller says otherwise. */
const ASK_TIMEOUT_MS = 2_000;

/** Whether an error of this folder means: the other side accepted the connection and did not answer in time. */
export function isTimeout(error: unknown): boolean {
  return error instanceof ControllerError && error.cause instanceof TimeUpError;
}

/**
 * Writes one line to a unix socket of HAProxy and returns the whole answer, until the other side closes.
 *
 * @throws {ControllerError} (transient) when the socket cannot be reached or does not answer in time
 */
export async function ask(path: string, line: string, timeoutMs = ASK_TIMEOUT_MS): Promise<string> {
  const connecting = Deno.connect({ transport: "unix", path });
  try {
    return await within(exchange(connecting, line), { limitMs: timeoutMs });
  } catch (cause) {
    const command = line.split(/[ ;]/).slice(0, 2).join(" ");
    const message = `Cannot ask HAProxy "${command}" on ${path}: ${messageOf(cause)}`;
    throw new ControllerError("transient", message, { cause });
  } finally {
    connecting.then(closeQuietly, () => {});
  }
}

/** Whether HAProxy answers on a socket. */
export function answers(path: string, timeoutMs?: number): Promise<boolean> {
  return ask(path, "show version", timeoutMs).then(() => true, () => false);
}

async function exchange(connecting: Promise<Deno.Conn>, line: string): Promise<string> {
  const connection = await connecting;
  await writeAll(connection, new TextEncoder().encode(`${line}\n`));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(16 * 1024);
  let text = "";
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return text + decoder.decode();
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}
