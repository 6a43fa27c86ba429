/**
 * Files of `lib/` in the order in which they may import each other: only what stands above. It keeps the path of data
 * readable from top to bottom, and cycles impossible. Folders are edges: they see the files, not each other.
 */
export const ORDER: readonly string[] = [
  ...[
    "errors",
    "escape",
    "backoff",
    "forward_clock",
    "memo",
    "address",
    "networks",
    "snapshot",
    "entry",
    "model",
    "awaited",
    "guard",
  ],
  ...["own_entry", "gate", "leaving"],
  ...["node_status"],
  ...["config_line", "config_section", "config_text", "server_line", "render", "served"],
  ...[
    "observed",
    "step",
    "candidate",
    "ports",
    "state_file",
    "runtime_rules",
    "plan",
    "pace",
    "memory",
    "wanted",
    "hold",
  ],
  ...[
    "apply",
    "learn",
    "reconcile",
    "idle_limit",
    "verified",
    "draining",
    "publication",
    "status",
    "own_status",
    "trouble",
  ],
  ...[
    "options",
    "etcd_options",
    "render_options",
    "run_options",
    "log_options",
    "register_options",
    "node_options",
    "override",
    "nodes_table",
    "line_queue",
    "version",
    "sleep",
    "stderr",
    "log",
    "metrics",
  ],
  ...["admission", "trigger", "controller"],
];

/** Files without any effect of their own: what they need of the world comes as an argument or through a port. */
export const PURE: ReadonlySet<string> = new Set([
  ...ORDER.slice(0, ORDER.indexOf("version")),
  ...[
    "haproxy/reply",
    "haproxy/commands",
    "etcd/registration_step",
    "etcd/registration_progress",
    "etcd/node_claim",
  ],
]);

/** Folders of `lib/` that each touch one part of the world. */
export const EDGES: readonly string[] = ["etcd", "haproxy", "probe", "admin"];

/** Files that drive passes; an edge that imported one would turn the direction around. */
const DRIVERS: ReadonlySet<string> = new Set(["apply", "learn", "reconcile", "controller", "trigger"]);

/** A module of `lib/` without prefix and ending, such as `plan` or `haproxy/reply`; undefined outside of `lib/`. */
export function moduleOf(path: string): string | undefined {
  return /(?:^|\/)lib\/([a-z0-9_/]+)\.ts$/.exec(path)?.[1];
}

/** Why one module of `lib/` must not import another; undefined when it may. */
export function importProblem(from: string, to: string): string | undefined {
  const [fromFolder, toFolder] = [folderOf(from), folderOf(to)];
  if (fromFolder === "cli") return undefined;
  if (toFolder === "cli") return "only main.ts and lib/cli may import lib/cli";
  if (fromFolder === undefined) return fileProblem(from, to);
  if (!EDGES.includes(fromFolder)) {
    return `lib/${fromFolder} is no known edge; name it in tools/lint/layers.ts`;
  }
  if (toFolder !== undefined && toFolder !== fromFolder) {
    return `the edge lib/${fromFolder} must not import the edge lib/${toFolder}`;
  }
  if (DRIVERS.has(to)) return `the edge lib/${fromFolder} must not import lib/${to}.ts, which drives passes`;
  return undefined;
}

function fileProblem(from: string, to: string): string | undefined {
  if (folderOf(to) !== undefined) {
    return `lib/${from}.ts must not import the edge lib/${folderOf(to)}; take a port instead`;
  }
  const [fromAt, toAt] = [ORDER.indexOf(from), ORDER.indexOf(to)];
  if (fromAt < 0 || toAt < 0) return `lib/${fromAt < 0 ? from : to}.ts has no place in tools/lint/layers.ts`;
  return toAt < fromAt ? undefined : `lib/${from}.ts stands above lib/${to}.ts and must not import it`;
}

function folderOf(module: string): string | undefined {
  return module.includes("/") ? module.split("/")[0] : undefined;
}
