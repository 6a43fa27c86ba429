import { encodeEvent, type JournalEvent } from "./encode.ts";
import { createRing, type Ring, type RingBounds } from "./ring.ts";

/** An event as the journal keeps it. */
export interface Entry {
  readonly number: number;
  /** Wall clock in milliseconds. */
  readonly at: number;
  readonly kind: string;
  /** The event, in printable ASCII. */
  readonly json: string;
}

/** What a reader gets. */
export interface Page {
  /** In the order of their numbers. */
  readonly entries: readonly Entry[];
  /** How many numbers up to `next` are gone: too many events came after them. */
  readonly lost: number;
  /** The number to ask after next. */
  readonly next: number;
}

/** The memory of the journal: one sequence of numbers over two rings, for events of services and for all else. */
export interface Rings {
  /** Gives the event the next number: 1, 2, 3 ... */
  push(event: JournalEvent, at: number): void;
  after(number: number, limit?: number): Page;
  /** The newest number; 0 before the first event. */
  last(): number;
  /** Turns events into JSON, which lets go of what they refer to. Reading does it too. */
  settle(): void;
}

/**
 * Each ring has its own share of the 4 MiB. With one bound for both, a flood of large events in one ring would push out
 * what is in the other. The smaller share has room for 1,024 events of 1 KiB.
 */
const OF_SERVICES = { maxItems: 4_096, maxBytes: 3 << 20 };
const OF_OTHERS = { maxItems: 1_024, maxBytes: 1 << 20 };

/** Creates them empty. */
export function createRings({ ofServices = OF_SERVICES, ofOthers = OF_OTHERS } = {}): Rings {
  const services = createStore(ofServices);
  const others = createStore(ofOthers);
  let last = 0;
  return {
    push: (event, at) =>
      (event.service === undefined ? others : services).push({ number: ++last, at, event }),
    after: (number, limit = Infinity) => {
      const found = merge(services.after(number, limit), others.after(number, limit));
      const entries = found.length > limit ? found.slice(0, limit) : found;
      const next = found.length < limit ? last : entries.at(-1)?.number ?? number;
      return { entries, lost: next - number - entries.length, next };
    },
    last: () => last,
    settle: () => {
      services.settle();
      others.settle();
    },
  };
}

function merge(some: readonly Entry[], others: readonly Entry[]): Entry[] {
  return [...some, ...others].sort((a, b) => a.number - b.number);
}

interface RawEntry {
  readonly number: number;
  readonly at: number;
  readonly event: JournalEvent;
}

/** A ring that makes JSON later: of a burst that is larger than the ring, only of those events that stay. */
function createStore(bounds: RingBounds) {
  const createRaw = () => createRing<RawEntry>({ ...bounds, maxBytes: Infinity, sizeOf: () => 0 });
  const kept: Ring<Entry> = createRing({ ...bounds, sizeOf: ({ json }) => json.length });
  let raw = createRaw();
  let hasRaw = false;
  const settle = () => {
    if (!hasRaw) return;
    for (const { number, at, event } of raw.after(0, Infinity)) {
      kept.push({ number, at, kind: event.kind, json: encodeEvent(event) });
    }
    raw = createRaw();
    hasRaw = false;
  };
  return {
    push: (entry: RawEntry) => {
      raw.push(entry);
      hasRaw = true;
    },
    after: (number: number, limit: number): Entry[] => {
      settle();
      return kept.after(number, limit);
    },
    settle,
  };
}
