import { assert, assertMatch } from "@std/assert";
import { requireProgram } from "../../tools/local/programs.ts";

const SECURITY = new URL("../../SECURITY.md", import.meta.url);
const ROLES = ["root", "node", "backend", "operator", "enable"] as const;

/** The password of every user that `giveRoles()` makes. */
export const PASSWORD = "from-standard-input";

/**
 * Makes the users and roles of SECURITY.md by the commands in it, and switches authentication on.
 *
 * @param access the arguments by which etcdctl reaches etcd
 */
export async function giveRoles(access: readonly string[]): Promise<void> {
  const text = await Deno.readTextFile(SECURITY);
  for (const role of ROLES) {
    for (const command of commandsOf(text, role)) await etcdctl([...access, ...command]);
  }
}

/** The commands that SECURITY.md gives for a role, a list of arguments each. */
function commandsOf(text: string, role: string): string[][] {
  const block = new RegExp(`^\`\`\`sh etcd-roles: ${role}\\n([^\`]*)^\`\`\``, "m").exec(text)?.[1];
  assert(block !== undefined, `SECURITY.md has no commands for ${role}`);
  return block.trim().split("\n").map((line) => {
    assertMatch(line, /^etcdctl [a-z0-9/= -]+$/, "a command without quotes and the like");
    return line.split(" ").slice(1);
  });
}

async function etcdctl(args: readonly string[]): Promise<void> {
  const process = new Deno.Command(requireProgram("etcdctl"), {
    args: [...args],
    env: { ETCDCTL_API: "3" },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = process.stdin.getWriter();
  // A command that asks for nothing may have ended by now.
  await input.write(new TextEncoder().encode(`${PASSWORD}\n`)).then(() => input.close()).catch(() => {});
  const { success, stderr } = await process.output();
  assert(success, `etcdctl ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
