/** How a process is asked to stop. */
export interface Signals {
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
  /** Aborted by the second: do not wait any longer. */
  readonly hurry: AbortSignal;
}

/** Listens for SIGTERM and SIGINT until the process ends, and for SIGHUP if there is an `onHangup` to call. */
export function listenForSignals(onHangup?: () => void): Signals {
  const stop = new AbortController();
  const hurry = new AbortController();
  onStopSignal(() => stop.signal.aborted ? hurry.abort() : stop.abort());
  if (onHangup !== undefined) Deno.addSignalListener("SIGHUP", onHangup);
  return { stop: stop.signal, hurry: hurry.signal };
}

/** How a process that ends in several steps is asked to stop. */
export interface StopSignals {
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
  /** A signal that the next SIGTERM or SIGINT aborts: end the current step. */
  next(): AbortSignal;
}

/** Signals that do not ask a process to end. */
const PASSED_ON: readonly Deno.Signal[] = ["SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"];

/** Listens for SIGTERM and SIGINT until the process ends. */
export function listenForStop(): StopSignals {
  const stop = new AbortController();
  let current = stop;
  onStopSignal(() => current.abort());
  return {
    stop: stop.signal,
    next: () => {
      if (current.signal.aborted) current = new AbortController();
      return current.signal;
    },
  };
}

function onStopSignal(act: () => void): void {
  Deno.addSignalListener("SIGTERM", act);
  Deno.addSignalListener("SIGINT", act);
}

/** Passes other signals on until the process ends. */
export function passSignalsOn(send: (signal: Deno.Signal) => void): void {
  for (const signal of PASSED_ON) Deno.addSignalListener(signal, () => send(signal));
}
