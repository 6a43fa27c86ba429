import type { Etcd3 } from "etcd3";

/** What a call is for; those that come first here go first. */
export const TURN_RANKS = ["keep", "change", "begin"] as const;

export type TurnRank = typeof TURN_RANKS[number];

/** Runs a call when it is its turn. */
export type InTurn = <T>(call: () => Promise<T>, options: TurnOptions) => Promise<T>;

export interface TurnOptions {
  readonly rank: TurnRank;
  readonly signal: AbortSignal;
}

/**
 * Lets at most `most` calls run at once; the others wait by rank, and in order within each. Leases that exist are renewed before
 * more is begun: in one line, a crowd that comes slowly would lose the leases of the first while the last wait for theirs.
 *
 * @returns a function that rejects with the signal's reason when that is aborted before the call's turn
 */
export function createTurns(most: number): InTurn {
  const queued: Readonly<Record<TurnRank, Set<() => void>>> = {
    keep: new Set(),
    change: new Set(),
    begin: new Set(),
  };
  let free = most;

  /** Whoever ends hands its turn to the one who is next. */
  function handOn(): void {
    const line = TURN_RANKS.map((rank) => queued[rank]).find(({ size }) => size > 0);
    const [next] = line ?? [];
    if (next === undefined) {
      free++;
      return;
    }
    line?.delete(next);
    next();
  }

  async function untilTurn({ rank, signal }: TurnOptions): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => {
      if (queued[rank].delete(resolve)) reject(signal.reason);
    };
    queued[rank].add(resolve);
    signal.addEventListener("abort", giveUp);
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  return async (call, options) => {
    options.signal.throwIfAborted();
    if (free > 0) free--;
    else await untilTurn(options);
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
