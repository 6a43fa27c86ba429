import { closeQuietly, writeAll } from "./connection.ts";

/** What to probe. */
export interface ProbeTarget {
  readonly host: string;
  readonly port: number;
  /** Undefined: a TCP connection is enough. */
  readonly path: string | undefined;
}

/** A status line is short; whoever sends more without a line break is no HTTP server. */
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
    connection = await connectBefore(signal, target);
    if (connection === undefined) return false;
    return target.path === undefined || await getsGoodStatus(connection, { ...target, path: target.path });
  } catch {
    return false;
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

/**
 * The attempt is taken back when the signal is aborted, or else it would hold its descriptor for minutes. One that succeeds
 * in that moment is closed.
 */
async function connectBefore(
  signal: AbortSignal,
  { host, port }: ProbeTarget,
): Promise<Deno.TcpConn | undefined> {
  if (signal.aborted) return undefined;
  const attempt = Deno.connect({ hostname: host, port, signal });
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const giveUp = () => resolve(undefined);
  signal.addEventListener("abort", giveUp);
  try {
    const connection = await Promise.race([attempt, late]);
    if (connection === undefined) attempt.then(closeQuietly, () => {});
    return connection;
  } finally {
    signal.removeEventListener("abort", giveUp);
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
