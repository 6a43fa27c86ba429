import { openEventStream } from "./events_stream.ts";
import type { JournalReader, Place } from "./journal.ts";
import { eventJson, formatId } from "./journal/id.ts";

/** The page of events, `GET /api/v1/events`. */
export interface EventsApi {
  readonly respond: (request: Request) => Response;
  /** Ends all streams, for `Deno.serve` waits for open responses. Later requests get 503. */
  close(): void;
}

/** How many clients may get events as they come. */
const MAX_STREAMS = 16;
const RETRY_AFTER_S = 5;

/**
 * Creates the page of a journal.
 *
 * `after=<id>`: only what came after it. JSON is `{ start, events: [{ id, at, kind, ... }], lost, next, restarted }`, with
 * `limit=<n>` events at most; `next` is the id to ask after next. With `Accept: text/event-stream` the events come as
 * they happen, after `Last-Event-ID` or `after`.
 */
export function createEventsApi(journal: JournalReader): EventsApi {
  const streams = new Set<() => void>();
  let isClosed = false;

  const respond = (request: Request): Response => {
    if (request.method !== "GET" && request.method !== "HEAD") return notAllowed();
    if (isClosed) return problem(503, "stopping");
    const { searchParams } = new URL(request.url);
    const limit = readLimit(searchParams.get("limit"));
    if (limit === "malformed") return problem(400, "limit must be a whole number of at least 1");
    // A browser that connects again sends the id, and the same address as before.
    const lastId = isStream(request) ? request.headers.get("last-event-id") : null;
    const place = journal.locate(lastId || searchParams.get("after") || undefined);
    if (place.kind === "malformed") return problem(400, `Cannot read after this id: ${place.reason}`);
    return isStream(request) ? stream(place) : json(200, pageJson(journal, { ...place, limit }));
  };
  const stream = ({ number, isRestarted }: Known): Response => {
    if (streams.size >= MAX_STREAMS) {
      return problem(503, `${MAX_STREAMS} clients get events already, try again later`);
    }
    const onEnd = () => streams.delete(end);
    const { body, end } = openEventStream({ journal, after: number, isRestarted, onEnd });
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

type Known = Extract<Place, { kind: "after" }>;

/** HEAD asks for the headers of the JSON: a stream without a reader would never end. */
function isStream({ method, headers }: Request): boolean {
  return method === "GET" && /\btext\/event-stream\b/i.test(headers.get("accept") ?? "");
}

function readLimit(text: string | null): number | undefined | "malformed" {
  if (text === null) return undefined;
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : "malformed";
}

/** Put together from the JSON that the journal keeps. */
function pageJson(
  { startId, read }: JournalReader,
  { number, limit, isRestarted }: Known & { readonly limit: number | undefined },
): string {
  const { entries, lost, next } = read(number, limit);
  const rest = { lost, next: formatId(startId, next), restarted: isRestarted };
  const events = entries.map((entry) => eventJson(startId, entry)).join(",");
  return `{"start":${JSON.stringify(startId)},"events":[${events}],${JSON.stringify(rest).slice(1)}`;
}

function problem(status: number, error: string): Response {
  return json(status, JSON.stringify({ error }), status === 503 ? { "retry-after": `${RETRY_AFTER_S}` } : {});
}

function notAllowed(): Response {
  return json(405, JSON.stringify({ error: "only GET is answered here" }), { allow: "GET" });
}

function json(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(text, {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}
