// Debian installs servers into directories that an ordinary user's PATH may lack.
const ALWAYS_SEARCHED = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The full path of an executable file named `name` in PATH or one of the system's directories, if there is one. */
export function findProgram(name: string): string | undefined {
  const path = (Deno.env.get("PATH") ?? "").split(":").filter((directory) => directory.startsWith("/"));
  for (const directory of [...path, ...ALWAYS_SEARCHED]) {
    const file = `${directory}/${name}`;
    if (isExecutable(file)) return file;
  }
  return undefined;
}

/**
 * Like `findProgram()`, for a program that is required.
 *
 * @throws {Error} when it is not, saying how to get it.
 */
export function requireProgram(name: string): string {
  const file = findProgram(name);
  if (file !== undefined) return file;
  throw new Error(`Cannot find the program ${name}: it is not in PATH; "deno task setup" installs it`);
}

function isExecutable(file: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(file);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}
