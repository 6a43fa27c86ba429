import { runCommand } from "./command.ts";
import type { Need } from "./needs.ts";
import { withServicesHeldBack } from "./held_services.ts";

// Another apt may be at work, on a machine that has just started for instance.
const LOCK_TIMEOUT = "DPkg::Lock::Timeout=120";

/** Runs a command with the rights to install packages. */
export type AsRoot = (argv: readonly string[]) => Promise<string>;

/** What `aptInstall()` reports while it works. */
export type Report = (line: string) => void;

/**
 * The way to run commands as root here: directly, or by a sudo that asks for no password.
 *
 * @returns nothing when there is none, or no apt.
 */
export async function findAptAccess(): Promise<AsRoot | undefined> {
  if (!(await runCommand(["apt-get", "--version"])).success) return undefined;
  if (Deno.uid() === 0) return asRoot([]);
  if ((await runCommand(["sudo", "-n", "true"])).success) return asRoot(["sudo", "-n"]);
  return undefined;
}

/**
 * Installs the packages of these programs, without their system services running or enabled afterwards.
 *
 * @throws {Error} when apt fails, with what it wrote.
 */
export async function aptInstall(needs: readonly Need[], run: AsRoot, report: Report): Promise<void> {
  const packages = needs.map((need) => need.debianPackage);
  const services = needs.flatMap((need) => need.service ?? []);
  const lists = await allAvailable(packages) ? undefined : await update(run, report);
  await withServicesHeldBack(services, run, async () => {
    report(`apt-get install ${packages.join(" ")}`);
    const install = aptGet("install", ...packages);
    const failure = await attempt(run, install);
    if (failure === undefined) return;
    if (lists !== undefined) throw new Error(`${lists.problem}${failure}`);
    // Package lists that are out of date name files which the mirror no longer has.
    const { problem } = await update(run, report);
    const again = await attempt(run, install);
    if (again !== undefined) throw new Error(`${problem}${again}`);
  });
}

/** New package lists, and what apt said if it could not get all of them. */
interface Lists {
  problem: string;
}

// A source that cannot be read is no reason to stop: the packages may come from another one.
async function update(run: AsRoot, report: Report): Promise<Lists> {
  report("apt-get update");
  const failure = await attempt(run, [...aptGet("update"), "-o", "APT::Update::Error-Mode=any"]);
  return { problem: failure === undefined ? "" : `${failure}\n` };
}

/** Runs a command, and returns what it failed with, if it did. */
async function attempt(run: AsRoot, argv: readonly string[]): Promise<string | undefined> {
  try {
    await run(argv);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function aptGet(command: string, ...args: readonly string[]): string[] {
  const options = ["-y", "-q", "-o", LOCK_TIMEOUT, "--no-install-recommends"];
  return ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", command, ...options, ...args];
}

async function allAvailable(packages: readonly string[]): Promise<boolean> {
  const known = await Promise.all(packages.map((name) => runCommand(["apt-cache", "policy", name])));
  return known.every(({ output }) => /Candidate: \d/.test(output));
}

function asRoot(prefix: readonly string[]): AsRoot {
  return async (argv) => {
    const { success, output } = await runCommand([...prefix, ...argv]);
    if (success) return output;
    throw new Error(`Cannot run ${argv.join(" ")}:\n${output.trimEnd()}`);
  };
}
