/** An event as the journal keeps it. */
export interface KeptEvent {
  /** 1 for the first event of this start of the process, then 2, 3 ... */
  readonly number: number;
  readonly id: string;
  readonly kind: string;
  /** The event with its id and time, in printable ASCII. */
  readonly json: string;
}

/** The newest events, in order. */
export interface Ring {
  /** Drops the oldest events, as many as the bounds ask for. */
  push(event: KeptEvent): void;
  /** All events with a greater number. */
  after(number: number): KeptEvent[];
}

/** Bounds of a ring. */
export interface RingBounds {
  readonly maxEvents: number;
  /** Of the JSON of all events. */
  readonly maxBytes: number;
}

/** Creates an empty ring. */
export function createRing({ maxEvents, maxBytes }: RingBounds): Ring {
  const events: KeptEvent[] = [];
  let bytes = 0;
  return {
    push: (event) => {
      events.push(event);
      bytes += event.json.length;
      while (events.length > maxEvents || bytes > maxBytes) bytes -= events.shift()?.json.length ?? 0;
    },
    after: (number) => events.slice(events.findLastIndex((event) => event.number <= number) + 1),
  };
}
