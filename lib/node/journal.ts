import { encodeEvent, type JournalEvent } from "./journal/encode.ts";
import { createRing, type KeptEvent } from "./journal/ring.ts";
import { createWindow } from "./journal/window.ts";

/** A part of the journal. */
export interface Page {
  /** Oldest first. */
  readonly events: readonly KeptEvent[];
  /** How many events between the given id and `next` were dropped. */
  readonly lost: number;
  /** The id to read after next. */
  readonly next: string;
  /** The given id is from an earlier start of the process, so all events of this start are new. */
  readonly restarted: boolean;
}

/** The journal, as its readers see it. */
export interface JournalReader {
  /** The id of this start of the process. All ids of events begin with it. */
  readonly startId: string;
  /** Returns at most `limit` events after the one with this id, or from the oldest on. Undefined: the id is not known. */
  read(after?: string, limit?: number): Page | undefined;
  /** Calls the listener when there are new events; it must not throw. Returns the function that ends this. */
  subscribe(listener: () => void): () => void;
}

/** A record of what happened, in memory and bounded. */
export interface Journal extends JournalReader {
  /**
   * Keeps events. More than 20 of one kind and service within a second become one event with a count at the end of the
   * second.
   */
  put(events: readonly JournalEvent[]): void;
  /** Keeps no more events. */
  stop(): void;
}

export interface JournalOptions {
  /** See `startIdOf()`. */
  readonly startId: string;
  /** Wall clock in milliseconds. */
  readonly wall: () => number;
}

const WINDOW_MS = 1_000;
/** Events of services and all others have separate bounds: a flood of one must not push out the other. */
const OF_SERVICES = { maxEvents: 4_096, maxBytes: 3 << 20 };
const OF_OTHERS = { maxEvents: 1_024, maxBytes: 1 << 20 };

/** Creates an empty journal. */
export function createJournal({ startId, wall }: JournalOptions): Journal {
  const [services, others] = [createRing(OF_SERVICES), createRing(OF_OTHERS)];
  const window = createWindow();
  const listeners = new Set<() => void>();
  let last = 0;
  let windowTimer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;

  const keep = (events: readonly JournalEvent[]) => {
    const at = new Date(wall()).toISOString();
    for (const event of events) {
      const id = `${startId}-${++last}`;
      const json = `{"id":"${id}","at":"${at}",${encodeEvent(event).slice(1)}`;
      (event.service === undefined ? others : services).push({ number: last, id, kind: event.kind, json });
    }
    if (events.length > 0) listeners.forEach((listener) => listener());
  };
  const endWindow = () => {
    windowTimer = undefined;
    keep(window.end());
  };
  return {
    startId,
    put: (events) => {
      if (isStopped || events.length === 0) return;
      windowTimer ??= setTimeout(endWindow, WINDOW_MS);
      keep(events.filter(window.admit));
    },
    read: (after = `${startId}-0`, limit = Infinity) => {
      const place = parseId(after);
      if (place === undefined) return undefined;
      const restarted = place.startId !== startId;
      const from = restarted ? 0 : place.number;
      if (from > last) return undefined;
      const found = [...services.after(from), ...others.after(from)].sort((a, b) => a.number - b.number);
      const events = found.slice(0, limit);
      const next = found.length > limit ? events.at(-1)?.number ?? from : last;
      return { events, lost: next - from - events.length, next: `${startId}-${next}`, restarted };
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop: () => {
      clearTimeout(windowTimer);
      endWindow();
      isStopped = true;
      listeners.clear();
    },
  };
}

/** Reads the id of an event: the id of the start of the process, and a number that begins at 1 with each start. */
function parseId(id: string): { readonly startId: string; readonly number: number } | undefined {
  const [, startId, number] = /^([a-z0-9]{1,32})-(\d{1,15})$/.exec(id) ?? [];
  return startId === undefined ? undefined : { startId, number: Number(number) };
}

/** A short id for a start of the process, such as "tb2m1sx3f9": the second and a random part. */
export function startIdOf({ at, random }: { readonly at: number; readonly random: number }): string {
  const chance = Math.floor(random * 36 ** 4).toString(36).padStart(4, "0");
  return `${Math.floor(at / 1_000).toString(36)}${chance}`;
}
