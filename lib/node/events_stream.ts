import { type Bell, createBell } from "../util/bell.ts";
import { escapeText } from "../util/escape.ts";
import type { JournalReader, Page } from "./journal.ts";

/** A client that reads events as they happen (server-sent events). */
export interface EventStream {
  readonly body: ReadableStream<Uint8Array>;
  /** Ends the response after the events that are there now. A second call does nothing. */
  end(): void;
}

export interface EventStreamOptions {
  readonly journal: JournalReader;
  /** The events to begin with. */
  readonly first: Page;
  /** Called once, when the stream ends or the client disconnects. */
  readonly onEnd: () => void;
}

/** Proxies and clients may close a connection that is silent for long. */
const COMMENT_MS = 15_000;
const COMMENT = ":\n\n";
/** A client that reads nothing for this time is disconnected. It can come back with the last id that it has seen. */
const STUCK_MS = 60_000;
/** How many events are handed to a client at once: about 64 KiB. */
export const EVENTS_AT_ONCE = 64;

/**
 * Opens a stream. It only remembers the last id that it handed to the client, so a slow client costs no memory. The client
 * is told how many events the journal dropped before it could read them.
 */
export function openEventStream({ journal, first, onEnd }: EventStreamOptions): EventStream {
  const encoder = new TextEncoder();
  const bell = createBell();
  const unsubscribe = journal.subscribe(bell.ring);
  const over = new AbortController();
  const texts = eventTexts(journal, { first, bell, signal: over.signal });
  let stuckTimer: ReturnType<typeof setTimeout> | undefined;
  let isGone = false;

  const end = () => {
    if (over.signal.aborted) return;
    clearTimeout(stuckTimer);
    unsubscribe();
    over.abort();
    onEnd();
  };
  const body = new ReadableStream<Uint8Array>({
    /** Called when the client has taken all that it was given. */
    pull: async (controller) => {
      clearTimeout(stuckTimer);
      const { value, done } = await texts.next();
      if (isGone) return;
      if (done) return controller.close();
      if (!over.signal.aborted) stuckTimer = setTimeout(end, STUCK_MS);
      controller.enqueue(encoder.encode(value));
    },
    cancel: () => {
      isGone = true;
      end();
    },
  }, { highWaterMark: 0 });
  return { body, end };
}

/** The text of a stream: events, or a comment when none comes for a while. It ends after the abort of the signal. */
async function* eventTexts(
  journal: JournalReader,
  { first, bell, signal }: { readonly first: Page; readonly bell: Bell; readonly signal: AbortSignal },
): AsyncGenerator<string, undefined> {
  let { next } = first;
  const take = (): string => {
    const page = journal.read(next, EVENTS_AT_ONCE);
    if (page === undefined) return "";
    next = page.next;
    return pageText(page);
  };
  const restart = first.restarted ? frame("restarted", JSON.stringify({ start: journal.startId })) : "";
  for (let text = restart + pageText(first);; text = take()) {
    if (text === "" && !signal.aborted) {
      const rang = await bell.wait(COMMENT_MS, signal);
      text = take() || (rang || signal.aborted ? "" : COMMENT);
    }
    const isLast = signal.aborted;
    if (text !== "") yield text;
    if (isLast) return;
  }
}

function pageText({ lost, events }: Page): string {
  const gap = lost > 0 ? frame("lost", JSON.stringify({ lost })) : "";
  return gap + events.map(({ id, kind, json }) => `id: ${id}\n${frame(escapeText(kind), json)}`).join("");
}

function frame(kind: string, json: string): string {
  return `event: ${kind}\ndata: ${json}\n\n`;
}
