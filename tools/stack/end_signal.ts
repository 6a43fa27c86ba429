const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** A signal that asks this process to end. */
export class EndSignal extends Error {
  override readonly name = "EndSignal";
  /** The exit code that tells of this signal. */
  readonly exitCode: number;

  constructor(readonly signal: keyof typeof EXIT_CODES) {
    super(`Ended by ${signal}`);
    this.exitCode = EXIT_CODES[signal];
  }
}

/** Calls `end` for each SIGINT, SIGTERM and SIGHUP, which then do not end the process, until it is disposed. */
export function listenForEnd(end: (signal: EndSignal) => void): Disposable {
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const listeners = names.map((name) => ({ name, listener: () => end(new EndSignal(name)) }));
  for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
  return {
    [Symbol.dispose]() {
      for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
    },
  };
}
