import type { ServiceSignals } from "./service.ts";

/** The first SIGTERM or SIGINT asks to leave, the second to hurry; further ones change nothing. */
export function listenToSignals(): ServiceSignals {
  const leave = new AbortController();
  const hurry = new AbortController();
  const onSignal = () => (leave.signal.aborted ? hurry : leave).abort();
  Deno.addSignalListener("SIGTERM", onSignal);
  Deno.addSignalListener("SIGINT", onSignal);
  return { leave: leave.signal, hurry: hurry.signal };
}
