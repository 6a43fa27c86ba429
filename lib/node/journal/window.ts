import type { JournalEvent } from "./encode.ts";

/** How many events of one kind and service a window lets through. It counts the others. */
const MAX_SINGLE_EVENTS = 20;

/** Creates a window of time, in which the first events of each kind and service are kept and the others are counted. */
export function createWindow() {
  let all = new Map<string, { readonly about: JournalEvent; singles: number; counted: number }>();
  return {
    /** Returns whether the event is to be kept; otherwise it is counted. */
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
    /** Starts the next window. Returns one event for each kind and service of which some were counted. */
    end: (): JournalEvent[] => {
      const ended = [...all.values()];
      all = new Map();
      return ended.flatMap(({ about, counted }) => counted === 0 ? [] : [{ ...about, count: counted }]);
    },
  };
}
