import { boundToParent } from "./bound_to_parent.ts";
import { pause } from "./wait.ts";

const DEFAULT_LINES = 200;
const DEFAULT_STOP_MS = 5_000;
// A controller that is killed leaves its HAProxy behind.
const LAST_STOP_MS = 10_000;
// A grandchild that outlives the process may hold its output open: do not wait for the end of output when this many
// looks in a row found nothing more. What was written is read between two looks, however slow the machine is.
const IDLE_LOOKS = 5;
const LOOK_MS = 40;

/** What to start, and what to do with its output. */
export interface ProcessOptions {
  /** How the process is called in messages and in front of its lines in the log file. */
  name: string;
  command: string;
  args: readonly string[];
  /** The whole environment of the process; without it, that of this process. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** A file to which every line of output is appended. */
  logFile?: string;
  /** How many of the last lines are kept in memory. */
  keepLines?: number;
  /** In a session of its own: Ctrl-C on the terminal then does not reach it. */
  detached?: boolean;
  /**
   * Sent to the process when this one ends without having stopped it, be it by a SIGKILL. It takes Linux and util-linux;
   * elsewhere nothing is sent. The parent is the thread that started it (prctl(2), PR_SET_PDEATHSIG), such as that of a
   * test file: the process cannot outlive it.
   */
  signalIfOrphaned?: "SIGTERM" | "SIGKILL";
  /** Called with each line of output, of either stream. */
  onLine?: (line: string) => void;
  /** Called when the process ends and neither `stop()` nor `kill()` had been called. */
  onUnexpectedExit?: (process: LocalProcess, status: Deno.CommandStatus) => void;
}

/** The processes that were started and have not ended. */
const running = new Set<LocalProcess>();

/**
 * Starts a child process whose output is kept.
 *
 * @throws {Error} when the command cannot be started.
 */
export function startProcess(options: ProcessOptions): LocalProcess {
  try {
    const process = new LocalProcess(options);
    running.add(process);
    const remove = () => running.delete(process);
    process.status.then(remove, remove);
    return process;
  } catch (cause) {
    throw new Error(`Cannot start ${options.name}: ${options.command} does not run`, { cause });
  }
}

/** Stops every process that was started here and still runs, as `LocalProcess.stop()` does. */
export async function stopProcesses(): Promise<void> {
  await Promise.all([...running].map((process) => process.stop({ deadlineMs: LAST_STOP_MS })));
}

/** A running child process. Disposing it stops it. */
export class LocalProcess implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Resolves when the process has ended; never rejects. */
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #log: Deno.FsFile | undefined;
  readonly #lines: string[] = [];
  readonly #outputs: Output[];
  readonly #options: ProcessOptions;
  #exited: Deno.CommandStatus | undefined;
  #endExpected = false;

  constructor(options: ProcessOptions) {
    const { name, env, cwd, logFile, detached } = options;
    const { command, args } = boundToParent(options);
    this.name = name;
    this.#options = options;
    this.#log = logFile === undefined
      ? undefined
      : Deno.openSync(logFile, { append: true, create: true, write: true });
    this.#child = spawn(command, { args, env, cwd, detached }, this.#log);
    this.pid = this.#child.pid;
    const keep = (line: string) => this.#keep(line);
    this.#outputs = [readLines(this.#child.stdout, keep), readLines(this.#child.stderr, keep)];
    this.status = this.#untilEnd();
  }

  /** The status the process ended with, or nothing while it runs. */
  get exited(): Deno.CommandStatus | undefined {
    return this.#exited;
  }

  /** The last lines it wrote, standard output and standard error together. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Sends a signal; the end that follows is no longer unexpected. Does nothing when the process has ended. */
  kill(signal: Deno.Signal): void {
    this.#endExpected = true;
    this.#signal(signal);
  }

  /** Freezes the process (SIGSTOP): it answers nothing, and its connections stay open. */
  freeze(): void {
    this.#signal("SIGSTOP");
  }

  /** Lets a frozen process continue. */
  resume(): void {
    this.#signal("SIGCONT");
  }

  /** Asks the process to end (SIGTERM), ends it by SIGKILL after `deadlineMs`, and waits for its end. */
  async stop(options: { deadlineMs?: number } = {}): Promise<Deno.CommandStatus> {
    this.kill("SIGTERM");
    this.resume();
    const done = new AbortController();
    const late = pause(options.deadlineMs ?? DEFAULT_STOP_MS, done.signal);
    await Promise.race([this.status, late]);
    this.kill("SIGKILL");
    const status = await this.status;
    done.abort();
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #signal(signal: Deno.Signal): void {
    if (this.#exited !== undefined) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      // Between the end of the process and the news of it, the kill is refused.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #untilEnd(): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    this.#exited = status;
    await endOutputs(this.#outputs);
    this.#log?.close();
    if (!this.#endExpected) this.#options.onUnexpectedExit?.(this, status);
    return status;
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > (this.#options.keepLines ?? DEFAULT_LINES)) this.#lines.shift();
    this.#writeLog(line);
    this.#options.onLine?.(line);
  }

  #writeLog(line: string): void {
    try {
      this.#log?.writeSync(new TextEncoder().encode(`${this.name} | ${line}\n`));
    } catch {
      // A full disk costs the line. Thrown on, it would end this process and leave the child without a parent.
    }
  }
}

interface SpawnOptions {
  args: readonly string[];
  env: Readonly<Record<string, string>> | undefined;
  cwd: string | undefined;
  detached: boolean | undefined;
}

function spawn(command: string, options: SpawnOptions, log: Deno.FsFile | undefined): Deno.ChildProcess {
  const { args, env, cwd, detached = false } = options;
  try {
    return new Deno.Command(command, {
      args: [...args],
      ...(env === undefined ? {} : { env: { ...env }, clearEnv: true }),
      ...(cwd === undefined ? {} : { cwd }),
      detached,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    log?.close();
    throw error;
  }
}

/** One stream of output that is being read. */
interface Output {
  ended: Promise<void>;
  /** How many pieces were read. */
  chunks(): number;
  cancel(): Promise<void>;
}

async function endOutputs(outputs: Output[]): Promise<void> {
  const done = new AbortController();
  const ended = Promise.all(outputs.map((output) => output.ended)).then(() => done.abort());
  const chunks = () => outputs.reduce((sum, output) => sum + output.chunks(), 0);
  for (let seen = chunks(), idle = 0; idle < IDLE_LOOKS && !done.signal.aborted;) {
    await pause(LOOK_MS, done.signal);
    idle = chunks() === seen ? idle + 1 : 0;
    seen = chunks();
  }
  await Promise.all(outputs.map((output) => output.cancel()));
  await ended;
}

function readLines(stream: ReadableStream<Uint8Array>, keep: (line: string) => void): Output {
  const reader = stream.getReader();
  let chunks = 0;
  return {
    ended: pump(reader, keep, () => chunks++),
    chunks: () => chunks,
    cancel: () => reader.cancel().catch(() => {}),
  };
}

async function pump(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  keep: (line: string) => void,
  onChunk: () => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    onChunk();
    const parts = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    parts.forEach(keep);
  }
  if (rest !== "") keep(rest);
}
