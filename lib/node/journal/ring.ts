/** An event as the journal keeps it. */
export interface KeptEvent {
  /** Counts from 1. */
  readonly number: number;
  readonly id: string;
  readonly kind: string;
  /** The event with its id and time, in printable ASCII. */
  readonly json: string;
}

/** Creates an empty ring. It holds the newest events, as many as fit into the bounds. */
export function createRing({ maxEvents, maxBytes }: {
  readonly maxEvents: number;
  /** Length of the JSON of all events. */
  readonly maxBytes: number;
}) {
  const events: KeptEvent[] = [];
  let bytes = 0;
  return {
    push: (event: KeptEvent): void => {
      events.push(event);
      bytes += event.json.length;
      while (events.length > maxEvents || bytes > maxBytes) bytes -= events.shift()?.json.length ?? 0;
    },
    /** All events with a greater number, in order. */
    after: (number: number): KeptEvent[] =>
      events.slice(events.findLastIndex((event) => event.number <= number) + 1),
  };
}
