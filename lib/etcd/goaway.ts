import http2, { type ClientHttp2Session } from "node:http2";
import process from "node:process";
import { setImmediate } from "node:timers";

/**
 * Makes the process survive an HTTP/2 server that sends GOAWAY. etcd does so when it stops, or is pinged too often.
 *
 * Deno's `node:http2` ends an idle session while nghttp2 still reads the GOAWAY frame. The session's memory is freed too
 * early, and now and then the process crashes, which no handler can prevent (denoland/deno#36788; Deno 2.9.6 does, 2.7.11
 * does not). Therefore `http2.connect()` from now on makes sessions that are destroyed on the next tick, when the frame has
 * been read. grpc-js then sees the GOAWAY as on Node: calls in flight may finish or fail as unavailable, new calls use a
 * new connection.
 */
export function surviveGoaway(): void {
  const connect = http2.connect;
  const patched = (...args: Parameters<typeof connect>) => connectAlive(destroyOnNextTick(connect(...args)));
  Object.assign(http2, { connect: patched });
}

/** `node:http2` itself ends a session by its public `destroy()`, so it is enough to replace that. The first call counts, as before. */
function destroyOnNextTick(session: ClientHttp2Session): ClientHttp2Session {
  const destroy = session.destroy.bind(session);
  let asked = false;
  session.destroy = (...args) => {
    if (asked) return;
    asked = true;
    process.nextTick(() => destroy(...args));
  };
  return session;
}

/**
 * Emits `connect` one turn later, and only if the session is still alive. Otherwise a server that closes the connection at
 * once (a proxy without a backend, a member that is stopping) ends the session before grpc-js listens. grpc-js then takes
 * it for connected and starts a call on it again and again in one turn, until the memory is full. Without `connect`, it
 * closes the session and tries again with back-off.
 */
function connectAlive(session: ClientHttp2Session): ClientHttp2Session {
  const emit = session.emit.bind(session);
  const later = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event !== "connect") return emit(event, ...args);
    setImmediate(() => session.destroyed || session.closed || emit(event, ...args));
    return true;
  };
  return Object.assign(session, { emit: later });
}
