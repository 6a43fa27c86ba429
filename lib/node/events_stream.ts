import { type Bell, createBell } from "../util/bell.ts";
import { escapeText } from "../util/escape.ts";
import type { JournalReader, Page } from "./journal.ts";

/** A client that gets events as they come (server-sent events). */
export interface EventStream {
  readonly body: ReadableStream<Uint8Array>;
  /** Ends the response after what can be read now; a second call does nothing. */
  end(): void;
}

export interface EventStreamOptions {
  readonly journal: JournalReader;
  /** What it begins with. */
  readonly first: Page;
  /** Called once, when the client is gone or the stream was ended. */
  readonly onEnd: () => void;
}

/** A proxy or a client may take a connection without any byte for dead. */
const COMMENT_MS = 15_000;
const COMMENT = ":\n\n";
/** A client that takes nothing for so long makes room for another one. It can ask again, after the last id it has seen. */
const STUCK_MS = 60_000;
/** How many events wait for a client outside of the journal: about 64 KiB. */
export const EVENTS_AT_ONCE = 64;

/**
 * Opens a stream. Its queue is the journal itself: the stream knows only how far the client has read, so that a slow client
 * costs no memory. What the journal drops meanwhile is told to it as lost.
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
    /** Called when the client has taken what it was given. */
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

/**
 * What can be read, then what comes; a comment when nothing comes for a while. When the signal is aborted it gives the next
 * events, if there are any, and ends.
 */
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
