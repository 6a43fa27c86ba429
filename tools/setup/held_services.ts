import type { AsRoot } from "./apt.ts";

const POLICY_FILE = "/usr/sbin/policy-rc.d";
// Exit code 101: the action is not allowed (invoke-rc.d's contract).
const POLICY = "#!/bin/sh\n# Holds services back while packages are installed.\nexit 101\n";

/**
 * Runs `install` while Debian's maintainer scripts may start no service, and disables these services after it: demo and
 * tests start processes of their own and would find the ports taken.
 *
 * A policy that the machine has already is left as it is. A signal to end waits until the policy is taken away.
 */
export async function withServicesHeldBack(
  services: readonly string[],
  run: AsRoot,
  install: () => Promise<void>,
): Promise<void> {
  const hold = exists(POLICY_FILE) ? undefined : await writePolicy();
  const signals = deferSignals();
  try {
    if (hold !== undefined) await run(["install", "-m", "0755", hold, POLICY_FILE]);
    await install();
    for (const service of services) await disable(service, run);
  } finally {
    if (hold !== undefined) {
      await run(["rm", "-f", POLICY_FILE]);
      await Deno.remove(hold);
    }
    signals.release();
  }
}

async function writePolicy(): Promise<string> {
  const file = await Deno.makeTempFile({ prefix: "policy-" });
  await Deno.writeTextFile(file, POLICY);
  return file;
}

// Not every Debian system has both; a container has neither at work.
async function disable(service: string, run: AsRoot): Promise<void> {
  if (exists("/usr/sbin/update-rc.d")) await run(["update-rc.d", service, "disable"]).catch(() => {});
  if (exists("/usr/bin/systemctl")) await run(["systemctl", "disable", "-q", service]).catch(() => {});
}

function exists(file: string): boolean {
  try {
    Deno.lstatSync(file);
    return true;
  } catch {
    return false;
  }
}

interface DeferredSignals {
  /** Ends the process if a signal came, as the signal would have. */
  release(): void;
}

function deferSignals(): DeferredSignals {
  let exitCode: number | undefined;
  const onInterrupt = () => exitCode = 130;
  const onTerminate = () => exitCode = 143;
  Deno.addSignalListener("SIGINT", onInterrupt);
  Deno.addSignalListener("SIGTERM", onTerminate);
  return {
    release() {
      Deno.removeSignalListener("SIGINT", onInterrupt);
      Deno.removeSignalListener("SIGTERM", onTerminate);
      if (exitCode !== undefined) Deno.exit(exitCode);
    },
  };
}
