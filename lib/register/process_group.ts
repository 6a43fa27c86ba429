import { backoffDelay } from "../util/backoff.ts";
import { sleep } from "../util/time.ts";

/** How a process ended: when asked to, or killed because its time was up or the operator hurried. */
export type Ending = "asked" | "late" | "hurried";

/** How long a process may take to end; an abort of `hurry` ends that time. */
export interface StopLimits {
  readonly limitMs: number;
  readonly hurry: AbortSignal;
}

const POLL = { minMs: 20, maxMs: 500 };

/**
 * Asks all processes of a group to end, and kills the rest when the time is up.
 *
 * @returns `undefined` if none was running
 */
export async function endGroup(group: number, { limitMs, hurry }: StopLimits): Promise<Ending | undefined> {
  if (!await isRunning(group)) return undefined;
  signalGroup(group, "SIGTERM");
  const deadline = performance.now() + limitMs;
  for (let attempt = 1; performance.now() < deadline && !hurry.aborted; attempt++) {
    const pauseMs = backoffDelay({ ...POLL, attempt, random: 0 });
    await sleep(Math.min(pauseMs, deadline - performance.now()), hurry);
    if (!await isRunning(group)) return "asked";
  }
  signalGroup(group, "SIGKILL");
  return hurry.aborted ? "hurried" : "late";
}

/**
 * A process that has ended stays in its group until its parent waits for it, which is never where process 1 does not wait
 * (a container without an init). So only its state tells.
 */
async function isRunning(group: number): Promise<boolean> {
  return signalGroup(group, 0) && runsIn(group, await readStats());
}

/** Whether a process of the group runs, by all `/proc/<pid>/stat` (proc(5)). Without any, it counts as running. */
export function runsIn(group: number, stats: string): boolean {
  const processes = [...stats.matchAll(/^.*\) (\S) \d+ (\d+) /gm)];
  return processes.length === 0 ||
    processes.some(([, state = "", itsGroup]) => Number(itsGroup) === group && !"ZX".includes(state));
}

/** Through a shell: Deno opens files of /proc only for programs with all permissions. */
async function readStats(): Promise<string> {
  try {
    const { stdout } = await new Deno.Command("/bin/sh", {
      args: ["-c", "cat /proc/[0-9]*/stat"],
      stdin: "null",
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  } catch {
    return "";
  }
}

/** Sends a signal to all processes of a group; tells whether there are any. */
export function signalGroup(group: number, signal: Deno.Signal | 0): boolean {
  try {
    Deno.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}
