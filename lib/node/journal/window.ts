import type { JournalEvent } from "./encode.ts";

/** How many events of one kind and service a window takes; later ones are only counted. */
const MAX_SINGLE_EVENTS = 20;

/** Tells single events from those that are only counted, for some time. */
export interface Window {
  /** Whether the event is a single one; otherwise it is counted. */
  admit(event: JournalEvent): boolean;
  /** Begins the next window. Returns one event for all that were counted of a kind and service. */
  end(): JournalEvent[];
}

interface Seen {
  readonly about: Pick<JournalEvent, "kind" | "service">;
  singles: number;
  counted: number;
}

/** Creates a window in which nothing happened. */
export function createWindow(): Window {
  let all = new Map<string, Seen>();
  return {
    admit: ({ kind, service, count = 1 }) => {
      const key = `${kind} ${service ?? ""}`;
      const about = service === undefined ? { kind } : { kind, service };
      const seen = all.get(key) ?? { about, singles: 0, counted: 0 };
      all.set(key, seen);
      const isSingle = seen.singles < MAX_SINGLE_EVENTS;
      if (isSingle) seen.singles++;
      else seen.counted += count;
      return isSingle;
    },
    end: () => {
      const ended = [...all.values()];
      all = new Map();
      return ended.flatMap(({ about, counted }) => counted === 0 ? [] : [{ ...about, count: counted }]);
    },
  };
}
