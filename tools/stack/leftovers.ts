/**
 * Ends processes of this stack that outlived the one which had started them, such as the HAProxy of a controller that
 * had to be killed. They are known by the stack's own directory in their command line.
 *
 * @returns how many there were. Without /proc, none are found.
 */
export async function endLeftovers(stackDir: string): Promise<number> {
  const pids = await processesNaming(stackDir);
  for (const pid of pids) end(pid);
  return pids.length;
}

async function processesNaming(text: string): Promise<number[]> {
  const pids: number[] = [];
  for (const pid of await allPids()) {
    if (pid !== Deno.pid && await commandLineHas(pid, text)) pids.push(pid);
  }
  return pids;
}

async function allPids(): Promise<number[]> {
  const pids: number[] = [];
  try {
    for await (const { name } of Deno.readDir("/proc")) {
      if (/^\d+$/.test(name)) pids.push(Number(name));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return pids;
}

async function commandLineHas(pid: number, text: string): Promise<boolean> {
  try {
    const commandLine = await Deno.readTextFile(`/proc/${pid}/cmdline`);
    return commandLine.includes(`${text}/`);
  } catch {
    // It has ended, or is none of this user's.
    return false;
  }
}

function end(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
