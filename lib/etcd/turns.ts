import type { Etcd3 } from "etcd3";

/** Runs a call when it is its turn. */
export type InTurn = <T>(call: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/**
 * Lets at most `most` calls run at once; the others wait in order.
 *
 * @returns a function that rejects with the signal's reason when that is aborted before the call's turn
 */
export function createTurns(most: number): InTurn {
  const waiting = new Set<() => void>();
  let free = most;

  /** Whoever ends hands its turn to the one who waits longest. */
  function handOn(): void {
    const [next] = waiting;
    if (next === undefined) free++;
    else {
      waiting.delete(next);
      next();
    }
  }

  async function untilTurn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      if (waiting.delete(resolve)) reject(signal.reason);
    };
    waiting.add(resolve);
    signal.addEventListener("abort", leave);
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  return async (call, signal) => {
    signal.throwIfAborted();
    if (free > 0) free--;
    else await untilTurn(signal);
    try {
      return await call();
    } finally {
      handOn();
    }
  };
}

/** More at once only make each other late: a client encodes and decodes on one thread. */
const MOST_CALLS = 64;

const turnsOfClients = new WeakMap<Etcd3, InTurn>();

/** The turns that all registrations of one client share. */
export function turnsOf(kv: Etcd3): InTurn {
  const turns = turnsOfClients.get(kv) ?? createTurns(MOST_CALLS);
  turnsOfClients.set(kv, turns);
  return turns;
}
