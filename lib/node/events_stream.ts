import { escapeText } from "../util/escape.ts";
import type { JournalReader } from "./journal.ts";
import { eventJson, formatId } from "./journal/id.ts";
import type { Page } from "./journal/rings.ts";

/** A client that gets events as they come (server-sent events). */
export interface EventStream {
  readonly body: ReadableStream<Uint8Array>;
  /** Ends the response; a second call does nothing. */
  end(): void;
}

export interface EventStreamOptions {
  readonly journal: JournalReader;
  /** The number of the event after which it begins. */
  readonly after: number;
  /** The client knows ids of another start of the process. */
  readonly isRestarted: boolean;
  /** Called once, when the client is gone or the stream was ended. */
  readonly onEnd: () => void;
}

/** A proxy or a client may take a connection without any byte for dead. */
const COMMENT_MS = 15_000;
const COMMENT = ":\n\n";
/** A client that takes nothing for so long makes room for another one. It can ask again, after the last id it has seen. */
const STUCK_MS = 60_000;
/** Events that wait for a client outside of the journal: about 64 KiB. */
const BATCH = 64;

/**
 * Opens a stream. Its queue is the journal itself: the stream knows only how far the client has read, so that a slow client
 * costs no memory. What the journal drops meanwhile is told to it as lost.
 */
export function openEventStream({ onEnd, ...options }: EventStreamOptions): EventStream {
  const encoder = new TextEncoder();
  const source = createSource(options);
  let stuckTimer: ReturnType<typeof setTimeout> | undefined;
  let hasEnded = false;
  let close = (_last: string) => {};

  const release = () => {
    hasEnded = true;
    clearTimeout(stuckTimer);
    source.stop();
    onEnd();
  };
  const end = () => {
    if (hasEnded) return;
    const last = source.take();
    release();
    close(last);
  };
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      close = (last) => {
        if (last !== "") controller.enqueue(encoder.encode(last));
        controller.close();
      };
    },
    /** Called when the client has taken what it was given. */
    pull: async (controller) => {
      clearTimeout(stuckTimer);
      const text = await source.next();
      if (hasEnded) return;
      stuckTimer = setTimeout(end, STUCK_MS);
      controller.enqueue(encoder.encode(text));
    },
    cancel: release,
  }, { highWaterMark: 0 });
  return { body, end };
}

/** The text of a stream, as far as there is any. */
function createSource({ journal, after, isRestarted }: Omit<EventStreamOptions, "onEnd">) {
  let position = after;
  let greeting = isRestarted ? eventText("restarted", JSON.stringify({ start: journal.startId })) : "";
  let wake = () => {};
  const unsubscribe = journal.subscribe(() => wake());

  const take = (): string => {
    const page = journal.read(position, BATCH);
    const text = greeting + pageText(journal.startId, page);
    position = page.next;
    greeting = "";
    return text;
  };
  const untilEventOrTime = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, COMMENT_MS);
    wake = resolve;
    await promise;
    clearTimeout(timer);
  };
  return {
    /** The events that can be read now, at most so many as go together. */
    take,
    /** The next events, or a comment when none comes for a while. */
    next: async (): Promise<string> => {
      const text = take();
      if (text !== "") return text;
      await untilEventOrTime();
      return take() || COMMENT;
    },
    stop: () => {
      unsubscribe();
      wake();
    },
  };
}

function pageText(startId: string, { lost, entries }: Page): string {
  const gap = lost > 0 ? eventText("lost", JSON.stringify({ lost })) : "";
  const texts = entries.map((entry) =>
    `id: ${formatId(startId, entry.number)}\n${eventText(escapeText(entry.kind), eventJson(startId, entry))}`
  );
  return gap + texts.join("");
}

function eventText(kind: string, json: string): string {
  return `event: ${kind}\ndata: ${json}\n\n`;
}
