import { pause } from "./wait.ts";

/** One of the two streams that a program writes to. */
export type OutputStream = "stdout" | "stderr";

const OTHER_STREAM_MS = 1_000;
const LAST_TEXT_MS = 1_000;
const FULL_MS = 50;

const encoder = new TextEncoder();
const readerGone = new AbortController();
const last: Record<OutputStream, Promise<void>> = { stdout: Promise.resolve(), stderr: Promise.resolve() };

/** Aborted as soon as standard output is known to have no reader any more, as in `... | head -1`. */
export const stdoutReaderGone: AbortSignal = readerGone.signal;

/**
 * Puts text on its way to a stream. It never throws and never waits: a reader that is gone or stuck must not keep a program
 * from stopping what it has started.
 */
export function put(stream: OutputStream, text: string): void {
  const other = within(last[stream === "stdout" ? "stderr" : "stdout"], OTHER_STREAM_MS);
  // A terminal shows both: what was put first is written first, unless the other stream is stuck.
  last[stream] = Promise.all([last[stream], other]).then(() => writeAll(stream, encoder.encode(text)));
}

/** Waits until all text is written, for a second at most; for the end of a program. */
export async function untilWritten(): Promise<void> {
  await within(Promise.all([last.stdout, last.stderr]), LAST_TEXT_MS);
}

async function writeAll(stream: OutputStream, bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) at += await write(stream, bytes.subarray(at));
  } catch (error) {
    // No reader, no terminal or a full disk: there is no other place to write this to.
    if (stream === "stdout" && error instanceof Deno.errors.BrokenPipe) readerGone.abort();
  }
}

async function write(stream: OutputStream, bytes: Uint8Array): Promise<number> {
  for (;;) {
    try {
      return await Deno[stream].write(bytes);
    } catch (error) {
      // Another program with the same terminal or pipe may have made it non-blocking.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await pause(FULL_MS);
    }
  }
}

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  const done = new AbortController();
  await Promise.race([work, pause(ms, done.signal)]);
  done.abort();
}
