import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MINUTE_MS = 60_000;

/** How a docker command is run. */
export interface DockerOptions {
  /** After this time the command is ended, and has failed. */
  readonly deadlineMs?: number;
  /** Return what it wrote to standard error too. */
  readonly withErrors?: boolean;
}

/**
 * Runs `docker ARGS` in the project's directory and returns what it wrote to standard output, without the last line break.
 *
 * @throws {Error} when it fails, with what it wrote
 */
export async function docker(args: readonly string[], options: DockerOptions = {}): Promise<string> {
  const { deadlineMs = 2 * MINUTE_MS, withErrors = false } = options;
  const { success, stdout, stderr } = await new Deno.Command("docker", {
    args: [...args],
    cwd: ROOT,
    stdin: "null",
    signal: AbortSignal.timeout(deadlineMs),
  }).output();
  const decoder = new TextDecoder();
  const complaints = decoder.decode(stderr);
  if (success) return (decoder.decode(stdout) + (withErrors ? complaints : "")).trimEnd();
  const shown = complaints.trimEnd().split("\n").slice(-60).join("\n");
  throw new Error(`Cannot run docker ${args.join(" ")}:\n${shown}`);
}

/** Why the container tests cannot run here; `undefined` when they can. */
export async function missingEngine(): Promise<string | undefined> {
  try {
    await docker(["version"], { deadlineMs: MINUTE_MS });
  } catch (error) {
    return `no container engine: ${lastLine(error)}`;
  }
  try {
    await docker(["compose", "version"], { deadlineMs: MINUTE_MS });
    return undefined;
  } catch (error) {
    return `no compose plugin: ${lastLine(error)}`;
  }
}

function lastLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.trimEnd().split("\n").at(-1) ?? message;
}
