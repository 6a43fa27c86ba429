import { pause } from "../local/wait.ts";

const ROUNDS = 50;
const ROUND_MS = 100;

/** What distinguishes the processes of some tests from all others. */
export interface RunMarks {
  /** The processes that lead the sessions in which the tests run. */
  readonly sessions: readonly number[];
  /** The directory of the tests; programs that lead sessions of their own have it in their arguments. */
  readonly dir: string;
}

/** Ends every process of some tests (SIGKILL), and returns what ran, as `<pid> <arguments>`. */
export async function endLeftovers(marks: RunMarks): Promise<string[]> {
  const seen = new Map<number, string>();
  for (let round = 0; round < ROUNDS; round++) {
    const found = processesOf(marks);
    if (found.length === 0) break;
    for (const { pid, args } of found) {
      seen.set(pid, args);
      kill(pid);
    }
    await pause(ROUND_MS);
  }
  return [...seen].map(([pid, args]) => `${pid} ${args}`);
}

interface Process {
  readonly pid: number;
  readonly session: number;
  readonly args: string;
}

/** The processes of the sessions, and of those whose leader has the directory of the run in its arguments. */
function processesOf({ sessions, dir }: RunMarks): Process[] {
  const processes = [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name))
    .map(({ name }) => readProcess(name)).filter((process) => process !== undefined);
  const named = processes.filter(({ args }) => hasPath(args, dir));
  const leaders = named.filter(({ pid, session }) => pid === session).map(({ pid }) => pid);
  const all = new Set([...sessions, ...leaders]);
  return processes.filter((process) => named.includes(process) || all.has(process.session));
}

/** Whether arguments name a directory or what is in it; `/tmp/t/10` is not in `/tmp/t/1`. */
export function hasPath(args: string, dir: string): boolean {
  return [`${dir}/`, `${dir} `].some((text) => `${args} `.includes(text));
}

/** Undefined for a process that has ended, also for a zombie. */
function readProcess(pid: string): Process | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The name, in brackets, may contain anything.
    const [state, _parent, _group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z") return undefined;
    const args = Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    return { pid: Number(pid), session: Number(session), args };
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Takes away what a killed run left: mounts below its directory, and the directory itself. */
export async function removeRunDir(dir: string): Promise<void> {
  for (const line of mounts().reverse()) {
    const target = line.split(" ")[1] ?? "";
    if (!target.startsWith(`${dir}/`)) continue;
    await new Deno.Command("umount", { args: ["-l", target], stdin: "null", stderr: "null" }).output();
  }
  await Deno.remove(dir, { recursive: true }).catch(() => {});
}

function mounts(): string[] {
  try {
    return Deno.readTextFileSync("/proc/self/mounts").split("\n");
  } catch {
    return [];
  }
}
