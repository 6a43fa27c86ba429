const ROOT = new URL("../..", import.meta.url).pathname;

/** How a deno command ended, and what it wrote. */
export interface DenoOutput {
  readonly success: boolean;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the deno that runs this program, in the project's directory. */
export async function deno(args: readonly string[]): Promise<DenoOutput> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { success, code, stdout, stderr } = await command.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return { success, code, stdout: decode(stdout), stderr: decode(stderr) };
}

/**
 * Fetches the npm packages of a module and returns the directory of deno's npm cache.
 *
 * @throws {Error} if they cannot be fetched
 */
export async function fillNpmCache(entry: string): Promise<string> {
  const cached = await deno(["cache", "--quiet", "--frozen", entry]);
  if (!cached.success) throw new Error(`Cannot fetch the npm packages: ${cached.stderr}`);
  const info: unknown = JSON.parse((await deno(["info", "--json"])).stdout);
  if (typeof info === "object" && info !== null && "npmCache" in info && typeof info.npmCache === "string") {
    return info.npmCache;
  }
  throw new Error("Cannot find deno's npm cache: deno info does not name it");
}
