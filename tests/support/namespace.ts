/** A network namespace that one cable connects with this machine. */
export interface Namespace extends AsyncDisposable {
  readonly name: string;
  /** This machine's address on the cable. */
  readonly outside: string;
  /** The namespace's address on the cable. */
  readonly inside: string;
  /** Packets are lost from now on, in both directions. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/**
 * Makes a network namespace, with addresses from the range for benchmarks (RFC 2544), which is not routed anywhere.
 *
 * @throws {Error} when this user may not
 */
export async function makeNamespace(): Promise<Namespace> {
  const id = crypto.randomUUID().slice(0, 8);
  const name = `eh-${id}`;
  const [ours, theirs] = [`eh${id}o`, `eh${id}i`];
  const [third, fourth] = [randomBelow(256), 4 * randomBelow(64)];
  const [outside, inside] = [`198.18.${third}.${fourth + 1}`, `198.18.${third}.${fourth + 2}`];
  await ip("netns", "add", name);
  // Its interfaces go with it.
  const remove = () => ip("netns", "del", name);
  try {
    await ip("link", "add", ours, "type", "veth", "peer", "name", theirs);
    await ip("link", "set", theirs, "netns", name);
    await ip("addr", "add", `${outside}/30`, "dev", ours);
    await ip("link", "set", ours, "up");
    await ip("-n", name, "addr", "add", `${inside}/30`, "dev", theirs);
    await ip("-n", name, "link", "set", "lo", "up");
    await ip("-n", name, "link", "set", theirs, "up");
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    name,
    outside,
    inside,
    cut: () => ip("-n", name, "link", "set", theirs, "down"),
    mend: () => ip("-n", name, "link", "set", theirs, "up"),
    [Symbol.asyncDispose]: remove,
  };
}

async function ip(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("ip", { args, stdin: "null", stdout: "null" }).output();
  if (!success) {
    throw new Error(`Cannot run ip ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}

function randomBelow(limit: number): number {
  return Math.floor(Math.random() * limit);
}
