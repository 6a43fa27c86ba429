import { stdoutReaderGone } from "../local/output.ts";

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;

/** A signal that asks this process to end. */
export class EndSignal extends Error {
  override readonly name = "EndSignal";
  /** The exit code for this signal. */
  readonly exitCode: number;

  constructor(readonly signal: keyof typeof EXIT_CODES) {
    super(`Ended by ${signal}`);
    this.exitCode = EXIT_CODES[signal];
  }
}

/**
 * Calls `end` for each SIGINT, SIGTERM and SIGHUP, which then do not end the process, until it is disposed.
 *
 * When standard output has no reader any more, it is called as for a SIGPIPE. The signal itself does not come: Deno
 * ignores it, and the write fails.
 */
export function listenForEnd(end: (signal: EndSignal) => void): Disposable {
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const listeners = names.map((name) => ({ name, listener: () => end(new EndSignal(name)) }));
  for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
  const onReaderGone = () => end(new EndSignal("SIGPIPE"));
  stdoutReaderGone.addEventListener("abort", onReaderGone);
  if (stdoutReaderGone.aborted) onReaderGone();
  return {
    [Symbol.dispose]() {
      for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
      stdoutReaderGone.removeEventListener("abort", onReaderGone);
    },
  };
}
