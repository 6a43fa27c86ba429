/** Callers who wait until etcd holds what they asked for. */
export interface Waiters {
  /** Waits for a version of the wanted value, or a later one; gives the revision at which it was reached. */
  add(version: number): Promise<bigint>;
  /** This version was reached. */
  settle(version: number, revision: bigint): void;
  rejectAll(error: Error): void;
}

export function createWaiters(): Waiters {
  const waiting = new Map<number, PromiseWithResolvers<bigint>>();
  return {
    add: (version) => {
      const waiter = Promise.withResolvers<bigint>();
      // Callers that do not wait need not handle a failure either.
      waiter.promise.catch(() => {});
      waiting.set(version, waiter);
      return waiter.promise;
    },
    settle: (version, revision) => {
      for (const [waitedFor, { resolve }] of waiting) {
        if (waitedFor > version) continue;
        waiting.delete(waitedFor);
        resolve(revision);
      }
    },
    rejectAll: (error) => {
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    },
  };
}
