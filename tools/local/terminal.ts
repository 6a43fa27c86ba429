// What a person sees: colours only where they can be shown and are wanted.
import { put } from "./output.ts";

const coloured = Deno.stdout.isTerminal() && !Deno.env.get("NO_COLOR");

/** Marks text as good news. */
export const green = style(32);
/** Marks text as bad news. */
export const red = style(31);
/** Marks text as less important. */
export const dim = style(2);
/** Marks text as a headline. */
export const bold = style(1);

/** Writes one line to standard output, as `put()` does. */
export function say(line = ""): void {
  put("stdout", `${line}\n`);
}

/** Writes one line to standard error, as `put()` does. */
export function complain(line: string): void {
  put("stderr", `${line}\n`);
}

/** Writes what is being done, does it, and adds how long it took, or that it was not done. */
export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  put("stdout", `  ${title} ... `);
  try {
    const result = await work();
    say(dim(duration(performance.now() - started)));
    return result;
  } catch (error) {
    say(red("not done"));
    throw error;
  }
}

/** Milliseconds in the unit a person would use. */
export function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function style(code: number): (text: string) => string {
  return (text) => coloured ? `\x1b[${code}m${text}\x1b[0m` : text;
}
