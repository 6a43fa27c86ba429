/** What the process was asked by signals. */
export interface Signals {
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
  /** Aborted by the second: skip the waiting. */
  readonly hurry: AbortSignal;
}

/** Listens for SIGTERM and SIGINT until the process ends; SIGHUP calls `onHangup`. */
export function listenForSignals(onHangup: () => void): Signals {
  const stop = new AbortController();
  const hurry = new AbortController();
  const onSignal = () => stop.signal.aborted ? hurry.abort() : stop.abort();
  Deno.addSignalListener("SIGTERM", onSignal);
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGHUP", onHangup);
  return { stop: stop.signal, hurry: hurry.signal };
}
