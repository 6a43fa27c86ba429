/** The folders of `lib/`, from the bottom up: an import goes down this list, never up. */
export const ORDER: readonly string[] =
  "util registry config plan guard reconcile etcd haproxy ack register node cli".split(" ");

/**
 * Files and folders without any effect of their own: what they need of the world comes as an argument or through a port.
 * A folder ends in a slash.
 */
export const PURE: readonly string[] = [
  "util/errors util/escape util/backoff util/commit util/memo util/flag util/flag_kinds",
  "registry/ config/ plan/ guard/ reconcile/",
  "etcd/options haproxy/health_line haproxy/wire/",
  "ack/applied ack/draining ack/keys ack/owner ack/schedule ack/urgent",
  "register/options register/progress register/step",
  "node/events node/facts node/journal/ node/options node/own_status node/problems",
  "cli/options cli/nodes_table cli/override",
].flatMap((line) => line.split(" "));

/** A module of `lib/` without prefix and ending, such as `plan/plan` or `haproxy/wire/reply`; undefined outside of `lib/`. */
export function moduleOf(path: string): string | undefined {
  return /(?:^|\/)lib\/([a-z0-9_/]+)\.ts$/.exec(path)?.[1];
}

/** Whether a module must have no effects. */
export function isPure(module: string): boolean {
  return PURE.some((place) => place.endsWith("/") ? module.startsWith(place) : module === place);
}

/** Why one module of `lib/` must not import another; undefined when it may. */
export function importProblem(from: string, to: string): string | undefined {
  const [above, below] = [folderOf(from), folderOf(to)];
  const unknown = [above, below].find((folder) => !ORDER.includes(folder));
  if (unknown !== undefined) return `lib/${unknown} is none of the folders in tools/lint/layers.ts`;
  if (ORDER.indexOf(below) > ORDER.indexOf(above)) {
    return `lib/${above} must not import lib/${below}, which is above it`;
  }
  if (above === "haproxy" && below === "etcd") return "the drivers haproxy and etcd do not know each other";
  return undefined;
}

function folderOf(module: string): string {
  return module.split("/")[0] ?? module;
}
