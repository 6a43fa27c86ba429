/** How long to wait for something, and how often to look. */
export interface WaitOptions {
  /** After this many milliseconds the wait fails. */
  deadlineMs?: number;
  /** Milliseconds between two looks. */
  everyMs?: number;
  /** Aborting it ends the wait with the signal's reason. */
  signal?: AbortSignal;
}

type Truthy<T> = Exclude<T, false | 0 | 0n | "" | null | undefined>;

const BRIEF_LENGTH = 200;

/**
 * Asks `condition` until it answers something truthy, and returns that answer. A condition that throws is asked again.
 *
 * The condition gets a signal that is aborted at the deadline, for calls that may hang.
 *
 * @throws {Error} at the deadline, saying what was waited for, how long, and the last error or value.
 */
export async function waitFor<T>(
  what: string,
  condition: (signal: AbortSignal) => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Truthy<T>> {
  const { deadlineMs = 30_000, everyMs = 50, signal } = options;
  const started = performance.now();
  const expiry = new AbortController();
  const timer = setTimeout(() => expiry.abort(), deadlineMs);
  const ending = signal === undefined ? expiry.signal : AbortSignal.any([expiry.signal, signal]);
  let last = "never answered";
  try {
    while (true) {
      const seen = await look(condition, ending);
      if (isTruthy(seen.value)) return seen.value;
      signal?.throwIfAborted();
      if (!seen.ended) last = seen.text;
      if (ending.aborted) throw new Error(timedOut(what, performance.now() - started, last));
      await pause(everyMs, ending);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after `ms` milliseconds, or at once when the signal aborts; it never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", done);
  function done() {
    clearTimeout(timer);
    signal?.removeEventListener("abort", done);
    resolve();
  }
  return promise;
}

/**
 * Settles as `work` does, or rejects with the signal's reason as soon as it is aborted. `work` is not waited for then; it
 * continues until something that it needs is gone.
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

interface Look<T> {
  value?: T;
  text: string;
  /** The wait ended before the condition answered. */
  ended: boolean;
}

async function look<T>(
  condition: (signal: AbortSignal) => T | Promise<T>,
  ending: AbortSignal,
): Promise<Look<T>> {
  const { promise: ended, resolve } = Promise.withResolvers<Look<T>>();
  const end = () => resolve({ text: "", ended: true });
  ending.addEventListener("abort", end);
  if (ending.aborted) end();
  try {
    return await Promise.race([ask(condition, ending), ended]);
  } finally {
    ending.removeEventListener("abort", end);
  }
}

async function ask<T>(
  condition: (signal: AbortSignal) => T | Promise<T>,
  ending: AbortSignal,
): Promise<Look<T>> {
  try {
    const value = await condition(ending);
    return { value, text: `the last value was ${brief(value)}`, ended: false };
  } catch (error) {
    // An error that only comes from the deadline would hide the one before it.
    if (ending.aborted) return { text: "", ended: true };
    return { text: `the last error was ${brief(error)}`, ended: false };
  }
}

function isTruthy<T>(value: T | undefined): value is Truthy<T> {
  return Boolean(value);
}

function timedOut(what: string, tookMs: number, last: string): string {
  return `Cannot wait any longer for ${what}: not so after ${Math.round(tookMs)} ms; ${last}`;
}

function brief(value: unknown): string {
  const text = value instanceof Error ? value.message : Deno.inspect(value, { compact: true, depth: 3 });
  return text.length > BRIEF_LENGTH ? `${text.slice(0, BRIEF_LENGTH)}...` : text;
}
