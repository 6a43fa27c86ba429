// Reads /proc. Linux only, like the rest of the bench.

const TICKS_PER_SECOND = 100;

interface ProcessTimes {
  readonly parent: number;
  readonly ownSeconds: number;
  /** Of children that have ended and were waited for. */
  readonly childSeconds: number;
}

/** CPU seconds of a contestant and its etcd. */
export interface CpuSeconds {
  readonly controller: number;
  /** Master, workers, and checks of files. */
  readonly haproxy: number;
  readonly etcd: number;
}

/** CPU seconds so far. `haproxy` is its own process where no controller started it. */
export async function cpuSeconds(
  pids: { readonly controller: number; readonly haproxy?: number; readonly etcd: number },
): Promise<CpuSeconds> {
  const all = await allTimes();
  const own = (pid: number) => all.get(pid)?.ownSeconds ?? 0;
  const family = (pid: number): number =>
    own(pid) + (all.get(pid)?.childSeconds ?? 0) +
    childrenIn(all, pid).reduce((sum, child) => sum + family(child), 0);
  const haproxy = pids.haproxy === undefined
    ? family(pids.controller) - own(pids.controller)
    : family(pids.haproxy);
  return { controller: own(pids.controller), haproxy, etcd: own(pids.etcd) };
}

/** CPU time since `before`, in milliseconds per change. */
export function cpuPerChange(before: CpuSeconds, after: CpuSeconds, changes: number): CpuSeconds {
  const per = (name: keyof CpuSeconds) => (after[name] - before[name]) * 1_000 / changes;
  return { controller: per("controller"), haproxy: per("haproxy"), etcd: per("etcd") };
}

/** Resident memory of a process in MiB. */
export async function residentMib(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1_024;
}

/** Processes whose command line names this directory. */
export async function processesIn(dir: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await allPids()) {
    const commandLine = await readQuietly(`/proc/${pid}/cmdline`);
    if (pid !== Deno.pid && commandLine?.includes(`${dir}/`)) found.push(pid);
  }
  return found;
}

function childrenIn(all: ReadonlyMap<number, ProcessTimes>, pid: number): number[] {
  return [...all].filter(([, { parent }]) => parent === pid).map(([child]) => child);
}

async function allTimes(): Promise<Map<number, ProcessTimes>> {
  const times = new Map<number, ProcessTimes>();
  for (const pid of await allPids()) {
    const stat = await readQuietly(`/proc/${pid}/stat`);
    if (stat !== undefined) times.set(pid, readStat(stat));
  }
  return times;
}

/** Fields as in proc(5), counted from the end of the command's name, which may hold anything. */
function readStat(stat: string): ProcessTimes {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  const seconds = (from: number) => ((fields[from] ?? 0) + (fields[from + 1] ?? 0)) / TICKS_PER_SECOND;
  return { parent: fields[1] ?? 0, ownSeconds: seconds(11), childSeconds: seconds(13) };
}

async function allPids(): Promise<number[]> {
  const names = await Array.fromAsync(Deno.readDir("/proc"), ({ name }) => name);
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

async function readQuietly(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    // The process has ended.
    return undefined;
  }
}
