import { checkDelayMs, CLOSED_GATE, nextGate } from "./gate.ts";
import { probe } from "../util/probe.ts";
import type { HealthCheck } from "./options.ts";
import { sleep } from "../util/time.ts";

/** Checks until the signal is aborted, and tells each time when the gate opens or closes. */
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
