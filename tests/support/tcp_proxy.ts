/** Forwards TCP connections to another address of this machine, until it is told to lose everything. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /**
   * Forwards nothing any more, in either direction, and closes nothing: to both sides the other one has gone silent.
   * New connections are accepted and get no byte.
   */
  cut(): void;
  /** Forwards again. What came in while it was cut is lost, so the connections of that time are closed. */
  mend(): void;
}

/** Starts a proxy on a free port of 127.0.0.1. */
export function startTcpProxy(toPort: number): TcpProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  let isCut = false;
  const close = (conn: Deno.TcpConn) => {
    if (open.delete(conn)) conn.close();
  };
  const pump = async (from: Deno.TcpConn, to: Deno.TcpConn) => {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const length = await from.read(buffer);
        if (length !== null && isCut) continue;
        if (isCut) return;
        if (length === null) break;
        await writeAll(to, buffer.subarray(0, length));
      }
    } catch {
      // One side is gone, which ends the other one.
    }
    if (isCut) return;
    close(from);
    close(to);
  };
  const serve = async (client: Deno.TcpConn) => {
    open.add(client);
    try {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: toPort });
      open.add(server);
      await Promise.all([pump(client, server), pump(server, client)]);
    } catch {
      if (!isCut) close(client);
    }
  };
  const accepting = (async () => {
    for await (const client of listener) serve(client);
  })();
  return {
    port: listener.addr.port,
    cut: () => isCut = true,
    mend: () => {
      open.forEach(close);
      isCut = false;
    },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      open.forEach(close);
      await accepting;
    },
  };
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}
