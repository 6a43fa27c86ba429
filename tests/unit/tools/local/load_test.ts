import { assert, assertEquals, assertRejects } from "@std/assert";
import { Load, type LoadTarget, pickPort, startOrigin, waitFor } from "../../../support/mod.ts";

Deno.test("Load counts answers by backend and target", async () => {
  await using red = startOrigin("red");
  await using blue = startOrigin("blue");
  await using load = startLoad([
    { name: "lb1", url: red.url, keepAliveClients: 2, oneShotClients: 2 },
    { name: "lb2", url: blue.url, keepAliveClients: 1 },
  ]);
  await load.firstAnswerFrom("red", { target: "lb1" });
  await load.firstAnswerFrom("blue", { target: "lb2" });
  await load.stop();

  const { all } = load.chapter;
  assertEquals(load.clientCount, 5);
  assertEquals(all.failed, 0);
  assertEquals(all.requests, red.requests + blue.requests);
  assertEquals(load.chapter.target("lb2").sightings.get("red"), undefined);
});

Deno.test("Load.mark() begins a chapter with counts of its own", async () => {
  await using origin = startOrigin("red");
  await using load = startLoad([{ name: "lb1", url: origin.url, keepAliveClients: 1 }]);
  await load.firstAnswerFrom("red");
  origin.behaviour.name = "blue";
  await load.lastAnswerFrom("red", { quietMs: 20 });
  load.mark("blue only");
  await load.firstAnswerFrom("blue");
  assertEquals([...load.chapter.all.sightings.keys()], ["blue"]);
});

Deno.test("Load.lastAnswerFrom() does not take silence of all for the end of one", async () => {
  await using origin = startOrigin("red");
  await using load = startLoad([{ name: "lb1", url: origin.url, keepAliveClients: 1 }]);
  await load.firstAnswerFrom("red");
  origin.behaviour.delayMs = 400;
  await assertRejects(() => load.lastAnswerFrom("red", { quietMs: 50, deadlineMs: 200 }));
});

Deno.test("Load keeps connections open for keep-alive clients only", async () => {
  const server = startRawServer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  await using load = startLoad([{ name: "keep", url: server.url, keepAliveClients: 1 }]);
  await waitFor("some requests", () => server.requests > 10);
  assertEquals(server.connections, 1);
  await load.stop();
  await server.close();

  const closing = startRawServer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  await using single = startLoad([{ name: "single", url: closing.url, oneShotClients: 1 }]);
  await waitFor("some connections", () => closing.connections > 10);
  await single.stop();
  assertEquals(closing.connections, closing.requests);
  await closing.close();
});

// What a client that repeats requests by itself would hide.
Deno.test("Load counts a reused connection that closes on a request as a failure", async () => {
  const server = startRawServer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", { answers: 1 });
  await using load = startLoad([{ name: "lb1", url: server.url, keepAliveClients: 1 }]);
  await waitFor("a failure", () => load.chapter.all.failed > 0);
  await load.stop();
  const { requests, failed, kinds } = load.chapter.all;
  assertEquals(requests, server.requests);
  assertEquals(failed, Math.floor(requests / 2));
  assertEquals([...kinds.keys()].filter((kind) => kind !== "reset"), ["closed"]);
  await server.close();
});

Deno.test("Load tells the kinds of failures apart", async (t) => {
  await t.step("refused", async () => {
    await assertFails(`http://127.0.0.1:${pickPort()}/`, "refused");
  });
  await t.step("a status", async () => {
    await using origin = startOrigin("red", { status: 503 });
    await assertFails(origin.url, "status 503");
  });
  await t.step("no answer in time", async () => {
    await using origin = startOrigin("red", { delayMs: 60_000 });
    await assertFails(origin.url, "timeout", 200);
  });
  await t.step("an answer cut short", async () => {
    const server = startRawServer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", {
      answers: 1,
      cut: true,
    });
    await assertFails(server.url, "short");
    await server.close();
  });
});

function startLoad(targets: LoadTarget[], timeoutMs = 5_000): Load {
  const load = new Load({ targets, timeoutMs, pauseMs: 2 });
  load.start();
  return load;
}

async function assertFails(url: string, kind: string, timeoutMs = 30_000): Promise<void> {
  await using load = startLoad([{ name: "lb1", url, keepAliveClients: 1, oneShotClients: 1 }], timeoutMs);
  await waitFor("two failures", () => load.chapter.all.failed >= 2);
  await load.stop();
  const { kinds, failed, requests } = load.chapter.all;
  assertEquals([...kinds.keys()], [kind]);
  assertEquals(failed, requests);
  assert(load.chapter.all.failures.every((failure) => failure.target === "lb1"));
}

/** A server that writes fixed bytes for each request and, after `answers` of them, closes: on the next, or at once. */
function startRawServer(answer: string, options: { answers?: number; cut?: boolean } = {}) {
  const { answers = Infinity, cut = false } = options;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: pickPort() });
  const open = new Set<Promise<void>>();
  const server = { url: `http://127.0.0.1:${listener.addr.port}/`, connections: 0, requests: 0, close };
  const accepting = accept();

  async function accept() {
    for await (const connection of listener) {
      server.connections++;
      const serving = serve(connection).finally(() => open.delete(serving));
      open.add(serving);
    }
  }
  async function serve(connection: Deno.TcpConn) {
    const buffer = new Uint8Array(4_096);
    let given = 0;
    while (await connection.read(buffer) !== null) {
      server.requests++;
      if (given++ >= answers) break;
      await connection.write(new TextEncoder().encode(answer));
      if (cut) break;
    }
    connection.close();
  }
  async function close() {
    listener.close();
    await accepting;
    await Promise.all(open);
  }
  return server;
}
