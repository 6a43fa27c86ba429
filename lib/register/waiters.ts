/** Callers who wait until what they asked for stands in etcd. */
export interface Waiters {
  /** Waits for a version of what is wanted, or a later one; gives the revision at which it was reached. */
  add(version: number): Promise<bigint>;
  /** This version was reached. */
  settle(version: number, revision: bigint): void;
  rejectAll(error: Error): void;
  /** There is nothing to wait for. */
  refuse(error: Error): Promise<never>;
}

interface Waiter {
  readonly version: number;
  readonly resolve: (revision: bigint) => void;
  readonly reject: (error: Error) => void;
}

export function createWaiters(): Waiters {
  let waiting: readonly Waiter[] = [];
  return {
    add: (version) => {
      const { promise, resolve, reject } = Promise.withResolvers<bigint>();
      waiting = [...waiting, { version, resolve, reject }];
      return handled(promise);
    },
    settle: (version, revision) => {
      const settled = waiting.filter((waiter) => waiter.version <= version);
      waiting = waiting.filter((waiter) => waiter.version > version);
      for (const { resolve } of settled) resolve(revision);
    },
    rejectAll: (error) => {
      const rejected = waiting;
      waiting = [];
      for (const { reject } of rejected) reject(error);
    },
    refuse: (error) => handled(Promise.reject(error)),
  };
}

/** A caller who does not wait for what it asked for need not handle its failure either. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
