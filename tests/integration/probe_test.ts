import { assertEquals } from "@std/assert";
import { probe } from "../../lib/util/probe.ts";
import { pickPort, waitFor } from "../support/mod.ts";

/** A server on a real socket that answers every connection with these bytes, and then closes it or holds it open. */
function startRaw(answer: string, { hostname = "127.0.0.1", holds = false } = {}) {
  const listener = Deno.listen({ hostname, port: 0 });
  const requests: string[] = [];
  const connections = new Set<Deno.Conn>();
  const serve = async (connection: Deno.Conn) => {
    connections.add(connection);
    try {
      requests.push(await readHead(connection));
      const bytes = new TextEncoder().encode(answer);
      for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
      if (holds) return;
    } catch {
      // The other side went away.
    }
    close(connection);
  };
  const close = (connection: Deno.Conn) => {
    if (connections.delete(connection)) connection.close();
  };
  const serving = (async () => {
    for await (const connection of listener) serve(connection);
  })();
  return {
    port: listener.addr.port,
    requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      connections.forEach(close);
      await serving;
    },
  };
}

async function readHead(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4_096);
  let text = "";
  while (!text.includes("\r\n\r\n")) {
    const count = await connection.read(buffer);
    if (count === null) return text;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}

/** A probe that does not end must not block the test. */
const bounded = () => AbortSignal.timeout(60_000);
const at = (port: number, path?: string) => ({ host: "127.0.0.1", port, path });

Deno.test("probe() passes where a port is open, and asks nothing", async () => {
  await using server = startRaw("");
  assertEquals(await probe(at(server.port), bounded()), true);
  assertEquals(server.requests.join(""), "");
});

Deno.test("probe() fails where a port is closed, with or without a path", async () => {
  const port = pickPort();
  assertEquals([await probe(at(port), bounded()), await probe(at(port, "/"), bounded())], [false, false]);
});

const answers: Record<string, [answer: string, passes: boolean]> = {
  "200": ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true],
  "204 of HTTP/1.0": ["HTTP/1.0 204 No Content\r\n\r\n", true],
  "200 without a reason": ["HTTP/1.1 200\r\n\r\n", true],
  "302, without following it": ["HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", true],
  "404": ["HTTP/1.1 404 Not Found\r\n\r\n", false],
  "503": ["HTTP/1.1 503 Service Unavailable\r\n\r\n", false],
  "100 Continue": ["HTTP/1.1 100 Continue\r\n\r\n", false],
  "a status of four digits": ["HTTP/1.1 2000 OK\r\n\r\n", false],
  "HTTP/2": ["\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0", false],
  "garbage": ["SSH-2.0-OpenSSH_9.2\r\n", false],
  "garbage before a status": ["x HTTP/1.1 200 OK\r\n\r\n", false],
  "nothing": ["", false],
  "half a status line": ["HTTP/1.1 2", false],
  "a huge line": [`HTTP/1.1 404 ${"x".repeat(1_000_000)}`, false],
};

for (const [what, [answer, passes]] of Object.entries(answers)) {
  Deno.test(`probe() ${passes ? "passes" : "fails"} on ${what}`, async () => {
    await using server = startRaw(answer);
    assertEquals(await probe(at(server.port, "/healthz"), bounded()), passes);
    assertEquals(server.requests.length, 1);
  });
}

Deno.test("probe() judges by the status line alone, and does not wait for the rest of the answer", async () => {
  await using server = startRaw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n", { holds: true });
  assertEquals(await probe(at(server.port, "/"), bounded()), true);
});

Deno.test("probe() gives up on a line without end, even if the connection stays open", async () => {
  await using server = startRaw("x".repeat(100_000), { holds: true });
  assertEquals(await probe(at(server.port, "/"), bounded()), false);
});

Deno.test("probe() asks for the path by an HTTP/1.1 GET, naming the host that is probed", async () => {
  await using server = startRaw("HTTP/1.1 200 OK\r\n\r\n");
  await probe(at(server.port, "/healthz?deep=1"), bounded());
  assertEquals(server.requests, [
    `GET /healthz?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUser-Agent: etcd-haproxy\r\n` +
    "Connection: close\r\n\r\n",
  ]);
});

Deno.test("probe() ends when it is told to, while an answer is not there yet", async () => {
  await using server = startRaw("HTTP/1.1 2", { holds: true });
  const stop = new AbortController();
  const result = probe(at(server.port, "/"), stop.signal);
  await waitFor("the request", () => server.requests.length > 0);
  stop.abort();
  assertEquals(await result, false);
});

Deno.test("probe() does not even try when it was told to end before", async () => {
  await using server = startRaw("");
  assertEquals(await probe(at(server.port), AbortSignal.abort()), false);
  assertEquals(server.requests.length, 0);
});

/** A listener that accepts no connection and has a full backlog: further connections get no answer at all. */
async function startBlackhole() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  const queued: Deno.Conn[] = [];
  for (let n = 0; n < MAX_QUEUED; n++) {
    const attempt = Deno.connect({ hostname: "127.0.0.1", port, signal: AbortSignal.timeout(300) });
    const connection = await attempt.catch(() => undefined);
    if (connection === undefined) break;
    queued.push(connection);
  }
  return {
    port,
    isBlack: queued.length < MAX_QUEUED,
    [Symbol.dispose]() {
      queued.forEach((connection) => connection.close());
      listener.close();
    },
  };
}

const MAX_QUEUED = 600;
const isThere = await (async () => {
  using blackhole = await startBlackhole();
  return blackhole.isBlack;
})();

Deno.test({
  name: "probe() ends when it is told to, even without any answer" +
    (isThere ? "" : " (skipped: no backlog can be filled on this machine)"),
  ignore: !isThere,
  fn: async () => {
    using blackhole = await startBlackhole();
    const stop = new AbortController();
    const results = [probe(at(blackhole.port), stop.signal), probe(at(blackhole.port, "/"), stop.signal)];
    const first = await Promise.race([
      ...results,
      new Promise((resolve) => setTimeout(resolve, 100, "open")),
    ]);
    assertEquals(first, "open");
    stop.abort();
    assertEquals(await Promise.all(results), [false, false]);
  },
});

/** Sockets of this process that wait for an answer to their first packet from this port. */
async function attemptsTo(port: number): Promise<number> {
  const waits = `:${port.toString(16).toUpperCase().padStart(4, "0")} 02 `;
  return (await Deno.readTextFile("/proc/net/tcp")).split("\n").filter((line) => line.includes(waits)).length;
}

Deno.test({
  name:
    "probe() takes its attempt back: many that get no answer would use up the descriptors of the process" +
    (isThere ? "" : " (skipped: no backlog can be filled on this machine)"),
  ignore: !isThere,
  fn: async () => {
    using blackhole = await startBlackhole();
    const probes = () =>
      Array.from({ length: 50 }, () => probe(at(blackhole.port), AbortSignal.timeout(200)));
    await Promise.all(probes());
    await waitFor("no attempt", async () => await attemptsTo(blackhole.port) === 0);
  },
});

const hasIpv6 = (() => {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

Deno.test({
  name: `probe() reaches an IPv6 address and brackets it${hasIpv6 ? "" : " (skipped: there is no ::1 here)"}`,
  ignore: !hasIpv6,
  fn: async () => {
    await using server = startRaw("HTTP/1.1 200 OK\r\n\r\n", { hostname: "::1" });
    assertEquals(await probe({ host: "::1", port: server.port, path: undefined }, bounded()), true);
    assertEquals(await probe({ host: "::1", port: server.port, path: "/" }, bounded()), true);
    assertEquals(server.requests.at(-1)?.includes(`\r\nHost: [::1]:${server.port}\r\n`), true);
  },
});
