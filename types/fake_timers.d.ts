// Types for the part of @sinonjs/fake-timers that the tests use; the package has none.

export interface FakeClock {
  /** Moves the clock on and lets promises settle between timers. */
  tickAsync(ms: number): Promise<number>;
  /** How many timers are pending. */
  countTimers(): number;
  uninstall(): void;
}

export function install(options: { toFake: readonly ("setTimeout" | "clearTimeout")[] }): FakeClock;
