import type { LocalProcess } from "../local/process.ts";
import { makeShortTempDir, removeDir } from "../local/temp_dir.ts";
import { complain, dim, red, say, step } from "../local/terminal.ts";
import { EndSignal, listenForEnd } from "./end_signal.ts";
import { type StackLayout, takenPorts } from "./layout.ts";
import { ProcessFailure } from "./process_failure.ts";
import { Stack } from "./stack.ts";

const SHOWN_LINES = 20;

/** What to do with a running stack. Returns the exit code; its waits end by the stack's signal. */
export type StackWork = (stack: Stack) => Promise<number>;

/** How to run the stack. */
export interface RunOptions {
  /** How many backends to start with. */
  backends: number;
  /** The ports to use. */
  layout: StackLayout;
  /** When a process ends unexpectedly during the work: `stop` everything, or `tell` it and continue. */
  onExit: "stop" | "tell";
}

/**
 * Starts the stack, does `work` with it, and stops all of it, whatever happens.
 *
 * @returns the exit code: that of `work`; 1 when a port is taken or something failed; 128 + n when signal n ended it.
 */
export async function runStack(options: RunOptions, work: StackWork): Promise<number> {
  const taken = takenPorts(options.layout);
  if (taken.length > 0) {
    for (const line of taken) complain(red(line));
    complain("Nothing was started. Free the ports and try again, or take others with --any-ports.");
    return 1;
  }
  const dir = await makeShortTempDir("eh-stack-");
  const logDir = `${dir}/logs`;
  await Deno.mkdir(logDir);
  const code = await runStackIn({ dir, logDir }, options, work);
  if (code !== 1) {
    await removeDir(dir);
    return code;
  }
  await removeAllBut(logDir, dir);
  say(`The logs of all processes are in ${logDir}`);
  return code;
}

interface StackDirs {
  dir: string;
  logDir: string;
}

async function runStackIn(
  { dir, logDir }: StackDirs,
  options: RunOptions,
  work: StackWork,
): Promise<number> {
  const ending = new AbortController();
  using _listening = listenForEnd((signal) => ending.abort(signal));
  let working = false;
  const onUnexpectedExit = (process: LocalProcess, status: Deno.CommandStatus) => {
    const failure = unexpectedExit(process, status);
    if (working && options.onExit === "tell") say(failure.message);
    else ending.abort(failure);
  };
  const stack = new Stack({ dir, logDir, layout: options.layout, signal: ending.signal, onUnexpectedExit });
  try {
    await stack.start(options);
    working = true;
    return await work(stack);
  } catch (error) {
    return explain(ending.signal.aborted ? ending.signal.reason : error);
  } finally {
    await step("Stopping everything", () => stack.stop());
  }
}

// Other files than logs are large: each etcd member takes 64 MB as soon as it starts.
async function removeAllBut(kept: string, dir: string): Promise<void> {
  for await (const { name } of Deno.readDir(dir)) {
    if (`${dir}/${name}` !== kept) await removeDir(`${dir}/${name}`);
  }
}

function unexpectedExit(process: LocalProcess, { code, signal }: Deno.CommandStatus): ProcessFailure {
  return new ProcessFailure(process, `${process.name} ended by itself: ${signal ?? `exit code ${code}`}`);
}

/** Prints why the work ended early, and returns the exit code for it. */
function explain(reason: unknown): number {
  if (reason instanceof EndSignal) {
    say();
    return reason.exitCode;
  }
  complain(red(reason instanceof Error ? reason.message : String(reason)));
  if (reason instanceof ProcessFailure) showLastLines(reason.process);
  return 1;
}

function showLastLines(process: LocalProcess): void {
  const lines = process.lines.slice(-SHOWN_LINES);
  if (lines.length === 0) return;
  complain(`The last lines of ${process.name}:`);
  for (const line of lines) complain(dim(`  ${line}`));
}
