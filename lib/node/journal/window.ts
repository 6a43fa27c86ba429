import type { JournalEvent } from "./encode.ts";

/** How many events of one kind and service a window takes; later ones are only counted. */
export const MAX_SINGLE_EVENTS = 20;

/** Tells single events from those that are only counted, for some time. */
export interface Window {
  /** Whether the event is a single one; otherwise it is counted. */
  admit(event: JournalEvent): boolean;
  /** Begins anew. Returns one event for all that were counted of a kind and service. */
  end(): JournalEvent[];
}

interface Seen {
  singles: number;
  counted: number;
}

/** Creates a window in which nothing happened. */
export function createWindow(): Window {
  // By kind, then by service: joining the two words for each event would cost more than all the rest.
  let kinds = new Map<string, Map<string | undefined, Seen>>();
  const seenOf = ({ kind, service }: JournalEvent): Seen => {
    let services = kinds.get(kind);
    if (services === undefined) kinds.set(kind, services = new Map());
    let seen = services.get(service);
    if (seen === undefined) services.set(service, seen = { singles: 0, counted: 0 });
    return seen;
  };
  return {
    admit: (event) => {
      const seen = seenOf(event);
      if (seen.singles < MAX_SINGLE_EVENTS) {
        seen.singles++;
        return true;
      }
      seen.counted += event.count ?? 1;
      return false;
    },
    end: () => {
      const ended = kinds;
      kinds = new Map();
      return [...ended].flatMap(([kind, services]) => countsOf(kind, services));
    },
  };
}

function countsOf(kind: string, services: ReadonlyMap<string | undefined, Seen>): JournalEvent[] {
  return [...services].flatMap(([service, { counted }]) =>
    counted === 0 ? [] : [{ kind, ...(service === undefined ? {} : { service }), count: counted }]
  );
}
