import type { ServiceSignals } from "./service.ts";

/** The first SIGTERM or SIGINT asks to stop, the second to hurry; further ones change nothing. */
export function listenForStop(): ServiceSignals {
  const stop = new AbortController();
  const hurry = new AbortController();
  const onSignal = () => (stop.signal.aborted ? hurry : stop).abort();
  Deno.addSignalListener("SIGTERM", onSignal);
  Deno.addSignalListener("SIGINT", onSignal);
  return { stop: stop.signal, hurry: hurry.signal };
}
