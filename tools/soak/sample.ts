import type { Sample } from "./verdict.ts";

interface ProcessUse {
  readonly memoryMiB: number;
  readonly fileDescriptors: number;
  readonly processes: number;
}

const NONE: ProcessUse = { memoryMiB: 0, fileDescriptors: 0, processes: 0 };

/** What a controller and its HAProxy hold, from /proc; undefined while HAProxy does not run, or is being replaced. */
export async function sample(
  controllerPid: number,
  haproxyPid: number | undefined,
): Promise<Sample | undefined> {
  const parents = await parentsOf();
  if (haproxyPid === undefined || !parents.has(haproxyPid)) return undefined;
  const family = [
    haproxyPid,
    ...[...parents].filter(([, parent]) => parent === haproxyPid).map(([pid]) => pid),
  ];
  if (family.length < 2) return undefined;
  // Checks of a file are children of the controller for a moment.
  const own = [...parents].filter(([pid, parent]) => parent === controllerPid && !family.includes(pid))
    .map(([pid]) => pid);
  const [controller, children, haproxy] = await Promise.all([
    useOf([controllerPid]),
    useOf(own),
    useOf(family),
  ]);
  return {
    "controller memory (MiB)": controller.memoryMiB,
    "controller file descriptors": controller.fileDescriptors,
    "controller processes": controller.processes + children.processes,
    "HAProxy memory (MiB)": haproxy.memoryMiB,
    "HAProxy file descriptors": haproxy.fileDescriptors,
    "HAProxy processes": haproxy.processes,
  };
}

/** Every process with its parent. */
async function parentsOf(): Promise<Map<number, number>> {
  const parents = new Map<number, number>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // The name of a program may hold anything, but no bracket follows its last one.
    const stat = await readQuietly(`/proc/${name}/stat`);
    const parent = /^.*\) \S (\d+)/s.exec(stat ?? "")?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  return parents;
}

async function useOf(pids: readonly number[]): Promise<ProcessUse> {
  const uses = await Promise.all(pids.map(useOfOne));
  return uses.reduce((sum, use) => ({
    memoryMiB: sum.memoryMiB + use.memoryMiB,
    fileDescriptors: sum.fileDescriptors + use.fileDescriptors,
    processes: sum.processes + use.processes,
  }), NONE);
}

/** A process that has just ended holds nothing. */
async function useOfOne(pid: number): Promise<ProcessUse> {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(await readQuietly(`/proc/${pid}/status`) ?? "")?.[1];
  if (kib === undefined) return NONE;
  try {
    const files = await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`));
    return { memoryMiB: Number(kib) / 1_024, fileDescriptors: files.length, processes: 1 };
  } catch {
    return NONE;
  }
}

async function readQuietly(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return undefined;
  }
}
