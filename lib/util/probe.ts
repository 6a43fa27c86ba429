import { closeQuietly, writeAll } from "./connection.ts";
import { within } from "./time.ts";

/** What to probe. */
export interface ProbeTarget {
  readonly host: string;
  readonly port: number;
  /** Undefined: a TCP connection is enough. */
  readonly path: string | undefined;
}

/** A status line is short. A server that sends more without a line break does not speak HTTP. */
const MAX_STATUS_LINE = 4_096;

/**
 * Probes a server once, until the signal is aborted: a TCP connection, or with a path an HTTP/1.1 GET that is answered
 * by 2xx or 3xx. A redirect is not followed. Never rejects.
 */
export async function probe(target: ProbeTarget, signal: AbortSignal): Promise<boolean> {
  let connection: Deno.TcpConn | undefined;
  const close = () => closeQuietly(connection);
  signal.addEventListener("abort", close);
  try {
    connection = await connect(target, signal);
    signal.throwIfAborted();
    return target.path === undefined || await getsGoodStatus(connection, { ...target, path: target.path });
  } catch {
    return false;
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

/**
 * The abort cancels the attempt, which would hold its descriptor for minutes otherwise. The search for an address cannot
 * be cancelled, so it is not waited for, and a connection that comes too late is closed.
 */
async function connect({ host, port }: ProbeTarget, signal: AbortSignal): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const attempt = Deno.connect({ hostname: host, port, signal });
  try {
    return await within(attempt, { signal });
  } catch (error) {
    attempt.then(closeQuietly, () => {});
    throw error;
  }
}

async function getsGoodStatus(
  connection: Deno.Conn,
  { host, port, path }: ProbeTarget & { path: string },
): Promise<boolean> {
  const name = host.includes(":") ? `[${host}]` : host;
  const request =
    `GET ${path} HTTP/1.1\r\nHost: ${name}:${port}\r\nUser-Agent: etcd-haproxy\r\nConnection: close\r\n\r\n`;
  await writeAll(connection, new TextEncoder().encode(request));
  return /^HTTP\/1\.[01] [23]\d\d[ \r]/.test(await readLine(connection));
}

async function readLine(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(MAX_STATUS_LINE);
  let length = 0;
  while (length < buffer.length) {
    const count = await connection.read(buffer.subarray(length));
    if (count === null) break;
    length += count;
    if (buffer.subarray(0, length).includes(10)) break;
  }
  return new TextDecoder().decode(buffer.subarray(0, length));
}
