import type { JournalEvent } from "./journal/encode.ts";
import { parseId } from "./journal/id.ts";
import { createRings, type Page } from "./journal/rings.ts";
import { createWindow } from "./journal/window.ts";

/** What readers of the journal see. */
export interface JournalReader {
  /** The id of this start, with which all ids begin. */
  readonly startId: string;
  /** Where to read on: after the event with this id, or from the beginning. */
  locate(id?: string): Place;
  /** What came after the event with this number, at most `limit` events; all that there is after 0. */
  read(after: number, limit?: number): Page;
  /** Calls the listener, which must not throw, when there is something new to read. Returns how to end that. */
  subscribe(listener: () => void): () => void;
}

/** A bounded record, in memory, of what happened. */
export interface Journal<E extends JournalEvent> extends JournalReader {
  /**
   * The only way in. More than 20 events of one kind and service within a second become one event with a count, when the
   * second is over. Neither the event nor what it refers to may change later.
   */
  put(event: E): void;
  /** The same for events that belong together, such as those of one pass. */
  putAll(events: readonly E[]): void;
  /** Keeps nothing more; `onEvents` is still called. */
  stop(): void;
}

/** Where a reader is. */
export type Place =
  /** `isRestarted`: the id is of another start, so that all of this one is new. */
  | { readonly kind: "after"; readonly number: number; readonly isRestarted: boolean }
  | { readonly kind: "malformed"; readonly reason: string };

export interface JournalOptions<E extends JournalEvent> {
  /** See `startIdOf()`. */
  readonly startId: string;
  /** Wall clock in milliseconds. */
  readonly wall: () => number;
  /** Told all events at once, as they were put, also those that are only counted: the log is written from here. */
  readonly onEvents?: (events: readonly E[]) => void;
}

const WINDOW_MS = 1_000;

/** Creates an empty journal. */
export function createJournal<E extends JournalEvent>(
  { startId, wall, onEvents = () => {} }: JournalOptions<E>,
): Journal<E> {
  const rings = createRings();
  const window = createWindow();
  const listeners = new Set<() => void>();
  let windowTimer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;

  const keep = (event: JournalEvent) => {
    rings.push(event, wall());
    for (const listener of listeners) listener();
  };
  const endWindow = () => {
    windowTimer = undefined;
    for (const event of window.end()) keep(event);
    rings.settle();
  };
  const putAll = (events: readonly E[]) => {
    onEvents(events);
    if (isStopped || events.length === 0) return;
    windowTimer ??= setTimeout(endWindow, WINDOW_MS);
    for (const event of events) if (window.admit(event)) keep(event);
  };
  return {
    startId,
    put: (event) => putAll([event]),
    putAll,
    locate: (id) => {
      if (id === undefined) return { kind: "after", number: 0, isRestarted: false };
      const known = parseId(id);
      if (known === undefined) return { kind: "malformed", reason: "it is no id of an event" };
      if (known.startId !== startId) return { kind: "after", number: 0, isRestarted: true };
      if (known.number > rings.last()) return { kind: "malformed", reason: "there is no such event yet" };
      return { kind: "after", number: known.number, isRestarted: false };
    },
    read: rings.after,
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
