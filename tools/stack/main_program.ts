import { untilWritten } from "../local/output.ts";
import { stopProcesses } from "../local/process.ts";
import { complain } from "../local/terminal.ts";
import { EndSignal, listenForEnd } from "./end_signal.ts";

/**
 * Ends this process with the code that `main` comes to, or with 1 and the error when it throws. Child processes that are
 * left are stopped first, and what was said is written.
 */
export async function exitWith(main: Promise<number>): Promise<never> {
  const code = await main.catch((error) => {
    complain(Deno.inspect(error));
    return 1;
  });
  await stopProcesses();
  await untilWritten();
  Deno.exit(code);
}

/**
 * Does work that ends early when this process is asked to end: `work` is given a signal that aborts then.
 *
 * @returns the exit code: that of `work`, or 128 + n when signal n had come and it threw
 * @throws what `work` throws when no signal had come
 */
export async function untilAskedToEnd(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const ending = new AbortController();
  using _signals = listenForEnd((signal) => ending.abort(signal));
  try {
    return await work(ending.signal);
  } catch (error) {
    if (ending.signal.reason instanceof EndSignal) return ending.signal.reason.exitCode;
    throw error;
  }
}
