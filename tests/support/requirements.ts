/** A right that not every machine grants. */
export type Requirement = "tmpfs" | "mount" | "netns";

const PROBES: Readonly<Record<Requirement, () => Promise<boolean>>> = {
  tmpfs: async () => {
    const dir = await Deno.makeTempDir();
    const mounted = await succeeds("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", dir]);
    if (mounted) await succeeds("umount", [dir]);
    await Deno.remove(dir);
    return mounted;
  },
  mount: async () => {
    const dir = await Deno.makeTempDir();
    const mounted = await succeeds("mount", ["--bind", dir, dir]);
    if (mounted) await succeeds("umount", [dir]);
    await Deno.remove(dir);
    return mounted;
  },
  netns: async () => {
    const name = `eh-${crypto.randomUUID().slice(0, 8)}`;
    const added = await succeeds("ip", ["netns", "add", name]);
    if (added) await succeeds("ip", ["netns", "del", name]);
    return added;
  },
};

const REASONS: Readonly<Record<Requirement, string>> = {
  tmpfs: "this user may not mount a tmpfs here",
  mount: "this user may not mount here (mount --bind)",
  netns: "this user may not make network namespaces here (ip netns)",
};

const known = new Map<Requirement, Promise<boolean>>();

/** Why something with these requirements cannot run here; undefined when it can. */
export async function missingRequirement(needs: readonly Requirement[] = []): Promise<string | undefined> {
  for (const need of needs) {
    const given = known.get(need) ?? PROBES[need]();
    known.set(need, given);
    if (!await given) return REASONS[need];
  }
  return undefined;
}

async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}
