/**
 * Checks that the programs for demo and tests are there, and installs Debian's packages where it is allowed to.
 *
 * With `--all` also the programs that only some tests need; without them, these tests are skipped. Exit codes: 0 all are
 * there, 1 the installation failed, 2 you have to install something, or wrong usage.
 */
import { findProgram } from "./local/programs.ts";
import { complain, say } from "./local/terminal.ts";
import { aptInstall, findAptAccess } from "./setup/apt.ts";
import { MORE_NEEDS, type Need, NEEDS } from "./setup/needs.ts";
import { exitWith } from "./stack/main_program.ts";

async function main(args: readonly string[]): Promise<number> {
  if (args.some((arg) => arg !== "--all")) {
    complain(`Cannot set up with ${args.join(" ")}: "--all" is the only option`);
    return 2;
  }
  return await setUp(args.length > 0 ? [...NEEDS, ...MORE_NEEDS] : NEEDS);
}

async function setUp(needs: readonly Need[]): Promise<number> {
  const missing = missingOf(needs);
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

function report(needs: readonly Need[]): number {
  for (const { program } of needs) {
    say(`Set-up: ${program} is ${findProgram(program) ?? "still missing"}`);
  }
  const missing = missingOf(needs);
  if (missing.length === 0) return 0;
  complain(instructions(missing));
  return 2;
}

function missingOf(needs: readonly Need[]): Need[] {
  return needs.filter((need) => findProgram(need.program) === undefined);
}

function instructions(missing: readonly Need[]): string {
  const programs = missing.map(({ program, description }) => `  ${program.padEnd(15)} ${description}`);
  const packages = missing.map((need) => need.debianPackage).join(" ");
  return [
    "Cannot continue: these programs are missing, and this user is not allowed to install them:",
    ...programs,
    "On Debian or Ubuntu, as root:",
    `  apt-get update && apt-get install --no-install-recommends ${packages}`,
    "Elsewhere, put them into PATH: https://www.haproxy.org and https://etcd.io/docs/latest/install",
    "If the packages start system services with these names, stop them.",
  ].join("\n");
}

if (import.meta.main) await exitWith(main(Deno.args));
