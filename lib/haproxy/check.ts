import { ControllerError, messageOf } from "../util/errors.ts";
import type { CheckResult } from "../reconcile/ports.ts";
import { TimeUpError, within } from "../util/time.ts";
import { parseAlerts } from "./wire/reply.ts";

/** A file with tens of thousands of servers takes seconds to check. */
const CHECK_TIMEOUT_MS = 30_000;
const VERSION_TIMEOUT_MS = 5_000;

/**
 * Checks a configuration file with `haproxy -c`.
 *
 * @throws {ControllerError} (operator) when haproxy cannot be run or does not end in time
 */
export async function checkConfig(haproxy: string, path: string): Promise<CheckResult> {
  const output = await runHaproxy(haproxy, ["-c", "-f", path], CHECK_TIMEOUT_MS);
  if (output.code === 0) return { kind: "valid" };
  const alerts = parseAlerts(output.text, path);
  if (alerts.length > 0) return { kind: "refused", alerts };
  const lastLine = output.text.trim().split("\n").at(-1);
  const message = lastLine || `haproxy -c ended with exit code ${output.code} and said nothing`;
  return { kind: "refused", alerts: [{ line: undefined, server: undefined, message }] };
}

/**
 * The version of a haproxy binary, such as `2.6.12-1+deb12u4`.
 *
 * @throws {ControllerError} (operator) when haproxy cannot be run, does not end in time or prints something else
 */
export async function haproxyVersion(haproxy: string): Promise<string> {
  const { text } = await runHaproxy(haproxy, ["-v"], VERSION_TIMEOUT_MS);
  const version = /version (\S+)/.exec(text)?.[1];
  if (version === undefined) {
    throw new ControllerError("operator", `Cannot read the version of ${haproxy}: unexpected output`);
  }
  return version;
}

/** The environment of every haproxy process. It is clean because a configuration can read it and `show env` prints it. */
export function haproxyEnvironment(): Record<string, string> {
  return { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
}

async function runHaproxy(
  haproxy: string,
  args: string[],
  timeoutMs: number,
): Promise<{ code: number; text: string }> {
  let child: Deno.ChildProcess | undefined;
  try {
    child = new Deno.Command(haproxy, {
      args,
      clearEnv: true,
      env: haproxyEnvironment(),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { code, stdout, stderr } = await within(child.output(), { limitMs: timeoutMs });
    const decoder = new TextDecoder();
    return { code, text: `${decoder.decode(stdout)}\n${decoder.decode(stderr)}` };
  } catch (error) {
    const isLate = error instanceof TimeUpError;
    // A process that hangs may ignore a milder signal.
    if (isLate) child?.kill("SIGKILL");
    const state = isLate ? `it did not end within ${timeoutMs} ms` : messageOf(error);
    throw new ControllerError("operator", `Cannot run ${haproxy} ${args[0]}: ${state}`, { cause: error });
  }
}
