/**
 * Makes sure that the programs which demo and tests run are there, and installs Debian's packages where it may.
 *
 * Exit codes: 0 all is there, 1 the installation failed, 2 somebody has to install something.
 */
import { findProgram } from "./local/programs.ts";
import { complain, say } from "./local/terminal.ts";
import { aptInstall, findAptAccess } from "./setup/apt.ts";
import { type Need, NEEDS } from "./setup/needs.ts";
import { exitWith } from "./stack/main_program.ts";

async function setUp(): Promise<number> {
  const missing = missingNeeds();
  if (missing.length === 0) return 0;
  say(`Set-up: ${missing.map((need) => need.program).join(", ")} not found`);
  const run = await findAptAccess();
  if (run === undefined) {
    complain(instructions(missing));
    return 2;
  }
  try {
    await aptInstall(missing, run, (line) => say(`Set-up: ${line}`));
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return 1;
  }
  return report(missing);
}

function report(installed: readonly Need[]): number {
  for (const { program } of installed) {
    say(`Set-up: ${program} is ${findProgram(program) ?? "still missing"}`);
  }
  const missing = missingNeeds();
  if (missing.length === 0) return 0;
  complain(instructions(missing));
  return 2;
}

function missingNeeds(): Need[] {
  return NEEDS.filter((need) => findProgram(need.program) === undefined);
}

function instructions(missing: readonly Need[]): string {
  const programs = missing.map(({ program, description }) => `  ${program.padEnd(8)} ${description}`);
  const packages = missing.map((need) => need.debianPackage).join(" ");
  return [
    "Cannot go on: these programs are missing, and this user may not install them here:",
    ...programs,
    "On Debian or Ubuntu, as root:",
    `  apt-get update && apt-get install --no-install-recommends ${packages}`,
    "Elsewhere, put them into PATH: https://www.haproxy.org and https://etcd.io/docs/latest/install",
    "System services of these names should not run; stop them if the packages start any.",
  ].join("\n");
}

if (import.meta.main) await exitWith(setUp());
