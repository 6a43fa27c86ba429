/** Whether a health check lets a process be registered. */
export interface Gate {
  readonly open: boolean;
  /** How many of the last checks in a row speak against it. */
  readonly against: number;
}

/** Nothing has passed yet. */
export const CLOSED_GATE: Gate = { open: false, against: 0 };

/** The gate after one more check: `rise` passes in a row open it, `fall` failures in a row close it. */
export function nextGate(gate: Gate, passed: boolean, { rise, fall }: { rise: number; fall: number }): Gate {
  if (passed === gate.open) return { ...gate, against: 0 };
  const against = gate.against + 1;
  return against < (gate.open ? fall : rise) ? { ...gate, against } : { open: passed, against: 0 };
}

/** When to check next: four times as often while the gate is closed or may close. */
export function checkDelayMs({ open, against }: Gate, intervalMs: number): number {
  return open && against === 0 ? intervalMs : Math.ceil(intervalMs / 4);
}
