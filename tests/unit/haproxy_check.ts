import { join } from "node:path";
import { findProgram, tempDir } from "../support/mod.ts";

const haproxy = findProgram("haproxy");

/** A test that asks the haproxy binary; on a machine without one it is skipped, and its name says why. */
export function withHaproxy(name: string, run: (haproxy: string) => Promise<void>): void {
  if (haproxy !== undefined) return Deno.test(name, () => run(haproxy));
  Deno.test({ name: `${name} (skipped: there is no haproxy on this machine)`, ignore: true, fn: () => {} });
}

/** What `haproxy -c` says of a text. */
export async function runHaproxyCheck(
  haproxy: string,
  text: string,
): Promise<{ code: number; output: string; path: string }> {
  await using dir = await tempDir();
  const path = join(dir.path, "haproxy.cfg");
  await Deno.writeTextFile(path, text);
  const { code, stdout, stderr } = await new Deno.Command(haproxy, {
    args: ["-c", "-f", path],
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr), path };
}

/** The texts of the `.notice` directives that HAProxy has read. */
export function parseNotices(output: string): string[] {
  return output.split("\n").flatMap((line) => {
    const match = /^\[NOTICE\].* : config : parsing \[[^\]]*\]: '(.*)'\.$/.exec(line);
    return match?.[1] === undefined ? [] : [match[1]];
  });
}
