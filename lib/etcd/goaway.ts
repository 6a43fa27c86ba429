import http2, { type ClientHttp2Session } from "node:http2";
import process from "node:process";
import { setImmediate } from "node:timers";

let installed = false;

/**
 * Makes the process survive an HTTP/2 server that says GOAWAY: etcd does when it is stopped, or pinged too often.
 *
 * Deno's `node:http2` ends an idle session while nghttp2 still reads the GOAWAY frame: the session's memory is freed
 * under the reader, and now and then the process dies of it, beyond the reach of any handler (denoland/deno#36788;
 * Deno 2.9.6 does, 2.7.11 does not). Sessions made from now on by `http2.connect()` are therefore destroyed on the next
 * tick, when the frame has been read to its end. grpc-js then sees the GOAWAY as on Node: calls in flight may finish or
 * fail as unavailable, new ones go to a new connection.
 */
export function surviveGoaway(): void {
  if (installed) return;
  installed = true;
  const connect = http2.connect;
  const patched = (...args: Parameters<typeof connect>) => connectAlive(destroyOnNextTick(connect(...args)));
  Object.assign(http2, { connect: patched });
}

/** `node:http2` itself ends a session by its public `destroy()`, so replacing that is enough. As before, the first call counts. */
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
 * Says `connect` one turn later, and only of a session that is still alive. A server that closes the connection at once
 * (a proxy without a backend, a member that is just stopping) would else end it before grpc-js listens: that takes it
 * for connected from then on, and starts a call on it again and again without ever letting go of the thread, until the
 * memory is used up. What is not connected closes, and is tried again by back-off.
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
