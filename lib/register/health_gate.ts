import { probe } from "../util/probe.ts";
import type { HealthCheck } from "./options.ts";
import { sleep } from "../util/time.ts";

/** Whether a health check lets a process be registered. */
export interface Gate {
  readonly open: boolean;
  /** How many of the last checks in a row had the other result. */
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

/** Checks until the signal is aborted, and tells whenever the gate opens or closes. */
export async function watchHealth(
  check: HealthCheck,
  { onChange, signal }: { onChange: (open: boolean) => void; signal: AbortSignal },
): Promise<void> {
  let gate = CLOSED_GATE;
  while (!signal.aborted) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(check.intervalMs)]);
    const passed = await probe(check.target, limit);
    if (signal.aborted) return;
    const next = nextGate(gate, passed, check);
    if (next.open !== gate.open) onChange(next.open);
    gate = next;
    await sleep(checkDelayMs(gate, check.intervalMs), signal);
  }
}
