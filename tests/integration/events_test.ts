import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { createEventsApi } from "../../lib/node/events_api.ts";
import { createJournal } from "../../lib/node/journal.ts";
import { waitFor } from "../support/mod.ts";

const STREAM = { headers: { accept: "text/event-stream" } };
const MAX_STREAMS = 16;

/** A journal whose page is served on loopback. */
function serveEvents() {
  const journal = createJournal({ startId: "s1", wall: Date.now });
  const api = createEventsApi(journal);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, api.respond);
  const { port } = server.addr;
  return {
    ...{ journal, api, server, port, url: `http://127.0.0.1:${port}/api/v1/events` },
    async [Symbol.asyncDispose]() {
      api.close();
      journal.stop();
      await server.shutdown();
    },
  };
}

async function openStreams(url: string): Promise<Response[]> {
  const responses = await Promise.all(Array.from({ length: MAX_STREAMS }, () => fetch(url, STREAM)));
  assertEquals(responses.map(({ status }) => status), responses.map(() => 200));
  return responses;
}

Deno.test("events come to 16 clients; a 17th is refused until one of them is gone", async () => {
  await using events = serveEvents();
  const [first, ...others] = await openStreams(events.url);
  const refused = await fetch(events.url, STREAM);
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  assertEquals(await refused.json(), { error: "16 clients are reading events already, try again later" });
  const list = await fetch(events.url);
  assertEquals([list.status, (await list.json()).events], [200, []]);

  await first?.body?.cancel();
  const free: Response[] = [];
  await waitFor("a place for another client", async () => {
    const response = await fetch(events.url, STREAM);
    if (response.status === 200) free.push(response);
    else await response.body?.cancel();
    return response.status === 200;
  });
  events.journal.put([{ kind: "reload" }]);
  for (const response of [...others, ...free]) {
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    assert((await reader?.read())?.value?.startsWith("id: s1-1\nevent: reload\ndata: {"));
    await reader?.cancel();
  }
});

Deno.test("close() ends all streams at once, so that the server can end", async () => {
  await using events = serveEvents();
  const responses = await openStreams(events.url);
  const texts = Promise.all(responses.map((response) => response.text()));
  events.api.close();
  const refused = await fetch(events.url, STREAM);
  assertEquals([refused.status, await refused.json()], [503, { error: "stopping" }]);
  assertEquals(await deadline(texts, 5_000), responses.map(() => ""));
  await deadline(events.server.shutdown(), 5_000);
});

Deno.test("a client that does not read gets what the journal still has, and learns how much it lost", async () => {
  await using events = serveEvents();
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: events.port });
  const request = "GET /api/v1/events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";
  await connection.write(new TextEncoder().encode(request));
  const text = "x".repeat(190);
  const total = 60_000;
  for (let i = 0; i < total; i++) {
    const event = { kind: `kind-${i % 20_000}`, service: "web", text };
    events.journal.put([event]);
    // The server writes meanwhile, until the sockets are full.
    if (i % 200 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  const seen = await deadline(readUntil(connection, total), 30_000);
  assert(seen.lost > 0);
  assertEquals(seen.ids, [...new Set(seen.ids)].sort((a, b) => a - b));
  assertEquals(seen.ids.length + seen.lost, total);
});

/** Reads a stream until the event with this number. */
async function readUntil(connection: Deno.Conn, last: number): Promise<{ ids: number[]; lost: number }> {
  const seen: { ids: number[]; lost: number } = { ids: [], lost: 0 };
  let rest = "";
  const decoder = new TextDecoderStream();
  for await (const chunk of connection.readable.pipeThrough(decoder, { preventCancel: true })) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const id = /^id: s1-(\d+)$/.exec(line)?.[1];
      if (id !== undefined) seen.ids.push(Number(id));
      seen.lost += Number(/^data: {"lost":(\d+)}$/.exec(line)?.[1] ?? 0);
    }
    if (seen.ids.at(-1) === last) break;
  }
  return seen;
}
