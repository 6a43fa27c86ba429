import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
/** What tests start again and again. */
const PROGRAMS = ["main.ts", "tests/support/killed_controller.ts", "tests/support/jumping_clock.ts"];
const LIMIT_MS = 60_000;

/** The programs in one file each, in a directory that is removed when this is disposed. */
export interface Bundles extends AsyncDisposable {
  readonly dir: string;
}

/**
 * Makes one file of each program that tests start: it starts in two thirds of the time that its many modules take.
 *
 * @returns nothing when that cannot be done here; tests start the modules then
 */
export async function makeBundles(): Promise<Bundles | undefined> {
  await Deno.mkdir(`${PROJECT}dist`, { recursive: true });
  // As deep below the project as the modules of lib/ are, which look for files beside them.
  const dir = await Deno.makeTempDir({ dir: `${PROJECT}dist`, prefix: "test-" });
  const remove = () => Deno.remove(dir, { recursive: true }).catch(() => {});
  const made = await Promise.all(PROGRAMS.map((program) => bundle(program, dir)));
  if (made.every((isMade) => isMade)) return { dir, [Symbol.asyncDispose]: remove };
  await remove();
  return undefined;
}

async function bundle(program: string, dir: string): Promise<boolean> {
  const output = `${dir}/${basename(program, ".ts")}.js`;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "deno", "--output", output, program],
    cwd: PROJECT,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(LIMIT_MS),
  }).output();
  return success;
}
