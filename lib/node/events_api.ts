import { EVENTS_AT_ONCE, openEventStream } from "./events_stream.ts";
import type { JournalReader, Page } from "./journal.ts";

/** The page of events, `GET /api/v1/events`. */
export interface EventsApi {
  readonly respond: (request: Request) => Response;
  /** Ends all streams, because `Deno.serve` waits for open responses. Later requests get 503. */
  close(): void;
}

/** How many clients can read events as they happen. */
const MAX_STREAMS = 16;
const RETRY_AFTER_S = 5;

/**
 * Creates the page of a journal.
 *
 * It answers the events after `after=<id>`, at most `limit=<n>`, as JSON: `{ start, events: [{ id, at, kind, ... }],
 * lost, next, restarted }`. Clients pass `next` as `after` of their next request. With `Accept: text/event-stream` they
 * get events as they happen, after `Last-Event-ID` or `after`.
 */
export function createEventsApi(journal: JournalReader): EventsApi {
  const streams = new Set<() => void>();
  let isClosed = false;

  const respond = (request: Request): Response => {
    const { method, headers, url } = request;
    if (method !== "GET" && method !== "HEAD") return problem(405, "only GET and HEAD are allowed");
    if (isClosed) return problem(503, "stopping");
    const { searchParams } = new URL(url);
    const limit = searchParams.get("limit");
    if (limit !== null && !/^[1-9]\d{0,8}$/.test(limit)) {
      return problem(400, "limit must be a whole number of at least 1");
    }
    const isStream = asksForStream(request);
    // A browser that reconnects sends the last id, and still the `after` of its first request.
    const lastId = isStream ? headers.get("last-event-id") : undefined;
    const after = lastId || searchParams.get("after") || undefined;
    const page = journal.read(after, isStream ? EVENTS_AT_ONCE : Number(limit ?? Infinity));
    if (page === undefined) return problem(400, "Cannot read after this id: there is no such event");
    return isStream ? stream(page) : json(200, pageJson(journal.startId, page));
  };
  const stream = (first: Page): Response => {
    if (streams.size >= MAX_STREAMS) {
      return problem(503, `${MAX_STREAMS} clients are reading events already, try again later`);
    }
    const { body, end } = openEventStream({ journal, first, onEnd: () => streams.delete(end) });
    streams.add(end);
    return new Response(body, {
      headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
    });
  };
  return {
    respond,
    close: () => {
      isClosed = true;
      for (const end of streams) end();
    },
  };
}

/** HEAD gets the headers of the JSON: a stream without a reader would never end. */
function asksForStream({ method, headers }: Request): boolean {
  return method === "GET" && /\btext\/event-stream\b/i.test(headers.get("accept") ?? "");
}

function pageJson(start: string, { events, ...rest }: Page): string {
  const list = events.map(({ json }) => json).join(",");
  return `{"start":${JSON.stringify(start)},"events":[${list}],${JSON.stringify(rest).slice(1)}`;
}

const HEADERS: Readonly<Record<number, Record<string, string>>> = {
  405: { allow: "GET" },
  503: { "retry-after": String(RETRY_AFTER_S) },
};

function problem(status: number, error: string): Response {
  return json(status, JSON.stringify({ error }));
}

function json(status: number, text: string): Response {
  const headers = { "content-type": "application/json", "cache-control": "no-store", ...HEADERS[status] };
  return new Response(text, { status, headers });
}
