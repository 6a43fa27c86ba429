import { assertEquals, assertMatch } from "@std/assert";
import { createEventsApi } from "../../../lib/node/events_api.ts";
import { createJournal } from "../../../lib/node/journal.ts";

type TestEvent = { readonly kind: string; readonly service?: string; readonly reason?: string };

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A page over a journal with these events. */
function pageOf(...events: readonly TestEvent[]) {
  const journal = createJournal({ startId: "s1", wall: () => AT });
  journal.put(events);
  journal.stop();
  const api = createEventsApi(journal);
  const get = (query = "", init?: RequestInit) =>
    api.respond(new Request(`http://127.0.0.1:8405/api/v1/events${query}`, init));
  return { api, get };
}

const THREE: readonly TestEvent[] = [{ kind: "reload" }, { kind: "step", service: "web" }, {
  kind: "outcome",
}];

Deno.test("createEventsApi() answers all events as JSON, with ids, times and the id to ask after next", async () => {
  const response = pageOf(...THREE).get();
  assertEquals([response.status, response.headers.get("content-type")], [200, "application/json"]);
  assertEquals(response.headers.get("access-control-allow-origin"), null);
  const at = "2026-01-02T03:04:05.000Z";
  assertEquals(await response.json(), {
    start: "s1",
    events: [
      { id: "s1-1", at, kind: "reload" },
      { id: "s1-2", at, kind: "step", service: "web" },
      { id: "s1-3", at, kind: "outcome" },
    ],
    lost: 0,
    next: "s1-3",
    restarted: false,
  });
});

const queries: Record<string, [query: string, ids: string[], next: string, restarted: boolean]> = {
  "after an id": ["?after=s1-1", ["s1-2", "s1-3"], "s1-3", false],
  "after the newest": ["?after=s1-3", [], "s1-3", false],
  "no more than the limit": ["?after=s1-1&limit=1", ["s1-2"], "s1-2", false],
  "all after an id of another start": ["?after=s0-77", ["s1-1", "s1-2", "s1-3"], "s1-3", true],
};

for (const [what, [query, ids, next, restarted]] of Object.entries(queries)) {
  Deno.test(`createEventsApi() answers ${what}`, async () => {
    const body = await pageOf(...THREE).get(query).json();
    const answered = body.events.map(({ id }: { id: string }) => id);
    assertEquals([answered, body.next, body.restarted, body.lost], [ids, next, restarted, 0]);
  });
}

Deno.test("createEventsApi() answers the JSON of no events", async () => {
  const body = await pageOf().get().json();
  assertEquals(body, { start: "s1", events: [], lost: 0, next: "s1-0", restarted: false });
});

Deno.test("createEventsApi() says how many events are lost", async () => {
  const events = Array.from({ length: 3_000 }, (_, i) => ({ kind: `kind-${i}` }));
  const page = pageOf(...events);
  const { lost, events: answered } = await page.get("?after=s1-10").json();
  assertEquals([lost, answered.length, answered[0].id], [1_966, 1_024, "s1-1977"]);
});

for (const query of ["?after=7", "?after=s1-4", "?after=s1-x", "?limit=0", "?limit=x", "?limit=-1"]) {
  Deno.test(`createEventsApi() refuses ${query} with 400 and the reason`, async () => {
    const response = pageOf(...THREE).get(query);
    const { error } = await response.json();
    assertEquals(response.status, 400);
    assertMatch(error, /^(Cannot read after this id: .+|limit must be .+)$/);
  });
}

Deno.test("createEventsApi() answers GET and HEAD only, and opens no stream for HEAD", () => {
  const { get } = pageOf(...THREE);
  const post = get("", { method: "POST" });
  assertEquals([post.status, post.headers.get("allow")], [405, "GET"]);
  const accept = { accept: "text/event-stream" };
  for (let i = 0; i < 20; i++) {
    const head = get("", { method: "HEAD", headers: accept });
    assertEquals([head.status, head.headers.get("content-type")], [200, "application/json"]);
  }
});

Deno.test("createEventsApi() escapes text, so that a terminal obeys nothing in it", async () => {
  const text = await pageOf({ kind: "rejection", service: "web", reason: "\x1b]0;x\x07\xe9" }).get().text();
  assertMatch(text, /^[\x20-\x7e]+$/);
  assertEquals(JSON.parse(text).events[0].reason, "\\x1b]0;x\\x07\\xe9");
});

Deno.test("createEventsApi() answers 503 when it was closed", async () => {
  const { api, get } = pageOf(...THREE);
  api.close();
  const response = get();
  assertEquals([response.status, await response.json()], [503, { error: "stopping" }]);
});
