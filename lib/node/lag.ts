/** How long the oldest change has been known that no pass has brought to HAProxy yet. */
export interface Lag {
  onChange(): void;
  /** A pass that started at `startedAt` reached what it wanted; later changes remain. */
  onReached(startedAt: number): void;
  ageMs(): number;
}

/** Creates the lag of a node that knows of no change. */
export function createLag(): Lag {
  let since: number | undefined;
  let latest: number | undefined;
  return {
    onChange: () => {
      latest = performance.now();
      since ??= latest;
    },
    onReached: (startedAt: number) => since = latest !== undefined && latest > startedAt ? latest : undefined,
    ageMs: () => since === undefined ? 0 : performance.now() - since,
  };
}
