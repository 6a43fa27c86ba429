import type { JournalEvent } from "./encode.ts";

/** How many events of one kind and service a window takes; later ones are only counted. */
const MAX_SINGLE_EVENTS = 20;

/**
 * Creates a window, which tells single events from those that are only counted: of each kind and service the first 20 are
 * single.
 */
export function createWindow() {
  let all = new Map<string, { readonly about: JournalEvent; singles: number; counted: number }>();
  return {
    /** Whether the event is a single one; otherwise it is counted. */
    admit: ({ kind, service, count = 1 }: JournalEvent): boolean => {
      const key = `${kind} ${service ?? ""}`;
      const about = service === undefined ? { kind } : { kind, service };
      const seen = all.get(key) ?? { about, singles: 0, counted: 0 };
      all.set(key, seen);
      const isSingle = seen.singles < MAX_SINGLE_EVENTS;
      if (isSingle) seen.singles++;
      else seen.counted += count;
      return isSingle;
    },
    /** Starts the next window. Returns one event for all that were counted of a kind and service. */
    end: (): JournalEvent[] => {
      const ended = [...all.values()];
      all = new Map();
      return ended.flatMap(({ about, counted }) => counted === 0 ? [] : [{ ...about, count: counted }]);
    },
  };
}
