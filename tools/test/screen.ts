import { green, red } from "../local/terminal.ts";
import { type Counts, jobLine, type JobResult } from "./report.ts";

/** How far a run is. */
export interface Progress {
  readonly counts: Counts;
  readonly ms: number;
  /** How many jobs have not begun. */
  readonly waiting: number;
  /** The jobs that run, by name. */
  readonly running: readonly string[];
}

/** One line with the progress of a run. */
export function progressLine({ counts, ms, waiting, running }: Progress): string {
  const { passed, failed, skipped } = counts;
  const tests = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  const names = running.map((name) => name.replace(/^(\.\/)?tests\//, ""));
  return `${Math.round(ms / 1_000)} s: ${tests}; ${waiting} files wait; running ${names.join(", ")}`;
}

/** Writes a line, and is done when it is written: nothing of what a run came to may be lost at its end. */
export function writeLine(line = ""): void {
  console.log(line);
}

const EVERY_MS = { terminal: 1_000, log: 20_000 };

/** The output of a run: a line for each job that has ended, and now and then one with the progress. */
export interface Screen {
  print(line: string): void;
  /** Shows what came of a job, and all that it wrote when it failed. */
  onEnd(result: JobResult, output: readonly string[]): void;
  close(): void;
}

/** Creates the screen of a run whose progress can be asked for. */
export function createScreen(progress: () => Progress): Screen {
  const isTerminal = Deno.stdout.isTerminal();
  const write = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));
  const clear = () => isTerminal && write("\r\x1b[K");
  const line = () => progressLine(progress());
  const show = () => {
    if (!isTerminal) return;
    clear();
    write(line().slice(0, Deno.consoleSize().columns - 1));
  };
  const timer = isTerminal
    ? setInterval(show, EVERY_MS.terminal)
    : setInterval(() => writeLine(line()), EVERY_MS.log);
  const print = (line: string) => {
    clear();
    writeLine(line);
    show();
  };
  return {
    print,
    onEnd(result, output) {
      const line = jobLine(result);
      print(result.code === 0 ? green(line) : red(line));
      if (result.code !== 0) output.forEach((line) => print(`  ${line}`.trimEnd()));
    },
    close() {
      clearInterval(timer);
      clear();
    },
  };
}
