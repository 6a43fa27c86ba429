import { isPortFree } from "../../tools/local/ports.ts";

/** A process as `/proc` tells of it; a pid alone may belong to another one later. */
interface Relative {
  readonly pid: number;
  readonly parent: number;
  readonly startedAt: string;
  readonly commandLine: string;
}

/**
 * A process and everything that comes from it, also what has lost its parent since it was first seen. Disposing it kills
 * what is left.
 */
export class ProcessFamily implements AsyncDisposable {
  readonly #known = new Map<string, Relative>();
  readonly #ancestor: number;

  constructor(ancestor: number) {
    this.#ancestor = ancestor;
  }

  /** Looks for new members; returns the command lines of all that ever were. */
  async look(): Promise<string[]> {
    const all = await allProcesses();
    const pids = new Set([this.#ancestor, ...[...this.#known.values()].map(({ pid }) => pid)]);
    // A child may have a lower pid than its parent: until none is new.
    for (let before = 0; before !== pids.size;) {
      before = pids.size;
      for (const { pid, parent } of all) if (pids.has(parent)) pids.add(pid);
    }
    for (const one of all) if (pids.has(one.pid)) this.#known.set(nameOf(one), one);
    return this.commandLines;
  }

  get commandLines(): string[] {
    return [...this.#known.values()].map(({ commandLine }) => commandLine);
  }

  /** The pid of a member that runs a command like this one. */
  pidOf(command: RegExp): number {
    const found = [...this.#known.values()].findLast(({ commandLine }) => command.test(commandLine));
    if (found === undefined) throw new Error(`Cannot find ${command} among ${this.commandLines.join("\n")}`);
    return found.pid;
  }

  /** What is left of it: members that run, and ports of 127.0.0.1 named by a command line that are taken. */
  async left(): Promise<string[]> {
    const running = (await this.#running()).map(({ pid, commandLine }) => `${pid} ${commandLine}`);
    return [...running, ...this.#ports().filter((port) => !isPortFree(port)).map((port) => `port ${port}`)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.look();
    for (const { pid } of await this.#running()) kill(pid);
  }

  async #running(): Promise<Relative[]> {
    return (await allProcesses()).filter((one) => this.#known.has(nameOf(one)));
  }

  #ports(): number[] {
    const found = this.commandLines.flatMap((line) => [...line.matchAll(/127\.0\.0\.1:(\d+)/g)]);
    return [...new Set(found.map(([, port]) => Number(port)))];
  }
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    // It ended by itself, or with its parent.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function nameOf({ pid, startedAt }: Relative): string {
  return `${pid} ${startedAt}`;
}

/** All processes except zombies. */
async function allProcesses(): Promise<Relative[]> {
  const found: Relative[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = await Deno.readTextFile(`/proc/${name}/stat`);
      const commandLine = await Deno.readTextFile(`/proc/${name}/cmdline`);
      const [state = "", parent = "", ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if ("ZX".includes(state)) continue;
      found.push({
        pid: Number(name),
        parent: Number(parent),
        // Fields 3 and 4 are taken, this is field 22 (proc(5)).
        startedAt: rest[17] ?? "",
        commandLine: commandLine.replaceAll("\0", " ").trimEnd(),
      });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}
