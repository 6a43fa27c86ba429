/** What the process was asked by signals. */
export interface Signals {
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
  /** Aborted by the second: skip the waiting. */
  readonly hurry: AbortSignal;
}

/** Listens for SIGTERM and SIGINT until the process ends, and for SIGHUP if there is an `onHangup` to call. */
export function listenForSignals(onHangup?: () => void): Signals {
  const stop = new AbortController();
  const hurry = new AbortController();
  const onSignal = () => stop.signal.aborted ? hurry.abort() : stop.abort();
  Deno.addSignalListener("SIGTERM", onSignal);
  Deno.addSignalListener("SIGINT", onSignal);
  if (onHangup !== undefined) Deno.addSignalListener("SIGHUP", onHangup);
  return { stop: stop.signal, hurry: hurry.signal };
}

/** Asks of the operator, in their order. */
export interface StopSignals {
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
  /** A signal that the next SIGTERM or SIGINT from now on aborts: skip what is waited for. */
  next(): AbortSignal;
}

/** What a process may be told besides to end. */
const PASSED_ON: readonly Deno.Signal[] = ["SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"];

/** Listens for SIGTERM and SIGINT until the process ends. */
export function listenForStop(): StopSignals {
  const stop = new AbortController();
  let current = stop;
  const onSignal = () => current.abort();
  Deno.addSignalListener("SIGTERM", onSignal);
  Deno.addSignalListener("SIGINT", onSignal);
  return {
    stop: stop.signal,
    next: () => {
      if (current.signal.aborted) current = new AbortController();
      return current.signal;
    },
  };
}

/** Passes other signals on until the process ends. */
export function passSignalsOn(send: (signal: Deno.Signal) => void): void {
  for (const signal of PASSED_ON) Deno.addSignalListener(signal, () => send(signal));
}
