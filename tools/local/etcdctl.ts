import { boundToParent } from "./bound_to_parent.ts";
import { requireProgram } from "./programs.ts";

// Longer than etcd needs to give up a write that was lost with its leader (5 s and two election timeouts).
const COMMAND_TIMEOUT = "15s";

/**
 * Runs etcdctl on these endpoints, or without any for a command that asks no member.
 *
 * @returns what it wrote to standard output, without the last line end.
 * @throws {Error} when it fails, with what it wrote to standard error.
 */
export async function runEtcdctl(endpoints: readonly string[], args: readonly string[]): Promise<string> {
  const where = endpoints.length === 0 ? [] : ["--endpoints", endpoints.join()];
  const { command, args: allArgs } = boundToParent({
    command: requireProgram("etcdctl"),
    args: [...where, "--command-timeout", COMMAND_TIMEOUT, ...args],
    signalIfOrphaned: "SIGKILL",
  });
  const output = await new Deno.Command(command, {
    args: [...allArgs],
    env: etcdctlEnvironment(),
    clearEnv: true,
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replace(/\n$/, "");
  if (output.success) return decode(output.stdout);
  throw new Error(`Cannot run etcdctl ${args.join(" ")}: ${decode(output.stderr)}`);
}

/** The environment for etcdctl: API 3, and none of the caller's ETCDCTL_* that would override flags. */
export function etcdctlEnvironment(): Record<string, string> {
  return { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", ETCDCTL_API: "3" };
}
