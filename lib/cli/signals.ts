/** How a process is asked to stop, by SIGTERM and SIGINT. */
export interface StopSignals {
  /** Aborted by the first of them. */
  readonly stop: AbortSignal;
  /** Aborted by the second: do not wait any longer. */
  readonly hurry: AbortSignal;
  /** A signal that the next of them aborts, for a process that ends in several steps: end the current step. */
  next(): AbortSignal;
}

/** Listens for SIGTERM and SIGINT until the process ends. */
export function listenForStop(): StopSignals {
  const stop = new AbortController();
  const hurry = new AbortController();
  let next = new AbortController();
  const onSignal = () => {
    (stop.signal.aborted ? hurry : stop).abort();
    next.abort();
  };
  Deno.addSignalListener("SIGTERM", onSignal);
  Deno.addSignalListener("SIGINT", onSignal);
  return {
    stop: stop.signal,
    hurry: hurry.signal,
    next: () => {
      if (next.signal.aborted) next = new AbortController();
      return next.signal;
    },
  };
}

/** Signals that do not ask a process to end. */
const PASSED_ON: readonly Deno.Signal[] = ["SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"];

/** Passes other signals on until the process ends. */
export function passSignalsOn(send: (signal: Deno.Signal) => void): void {
  for (const signal of PASSED_ON) Deno.addSignalListener(signal, () => send(signal));
}
