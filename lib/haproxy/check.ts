import { deadline } from "@std/async/deadline";
import { ControllerError, messageOf } from "../errors.ts";
import type { CheckResult } from "../ports.ts";
import { parseAlerts } from "./reply.ts";

const CHECK_TIMEOUT_MS = 30_000;

/**
 * Checks a configuration file with `haproxy -c`.
 *
 * @throws {ControllerError} (operator) when haproxy cannot be run or does not end in time
 */
export async function checkConfig(haproxy: string, path: string): Promise<CheckResult> {
  const output = await runHaproxy(haproxy, ["-c", "-f", path]);
  if (output.code === 0) return { kind: "valid" };
  const alerts = parseAlerts(output.text, path);
  if (alerts.length > 0) return { kind: "refused", alerts };
  const message = output.text.trim().split("\n").at(-1) ?? "no output";
  return { kind: "refused", alerts: [{ line: undefined, server: undefined, message }] };
}

/** The version of a haproxy binary, such as `2.6.12-1+deb12u4`. */
export async function haproxyVersion(haproxy: string): Promise<string> {
  const { text } = await runHaproxy(haproxy, ["-v"]);
  const version = /version (\S+)/.exec(text)?.[1];
  if (version === undefined) {
    throw new ControllerError("operator", `Cannot read the version of ${haproxy}: unexpected output`);
  }
  return version;
}

/** The environment of every haproxy process: clean, for a configuration can read it and `show env` prints it. */
export function haproxyEnvironment(): Record<string, string> {
  return { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
}

async function runHaproxy(haproxy: string, args: string[]): Promise<{ code: number; text: string }> {
  const abort = new AbortController();
  try {
    const command = new Deno.Command(haproxy, {
      args,
      clearEnv: true,
      env: haproxyEnvironment(),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: abort.signal,
    });
    const { code, stdout, stderr } = await deadline(command.output(), CHECK_TIMEOUT_MS);
    const decoder = new TextDecoder();
    return { code, text: `${decoder.decode(stdout)}\n${decoder.decode(stderr)}` };
  } catch (error) {
    abort.abort();
    throw new ControllerError("operator", `Cannot run ${haproxy} ${args[0]}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
