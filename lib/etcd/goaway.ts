import http2, { type ClientHttp2Session } from "node:http2";
import process from "node:process";

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
  const patched = (...args: Parameters<typeof connect>) => destroyOnNextTick(connect(...args));
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
