import { fileURLToPath } from "node:url";
import { type LocalProcess, startProcess } from "../local/process.ts";
import type { StackLayout } from "./layout.ts";

/** The folder of the project, in which its programs are started. */
export const PROJECT_DIR = fileURLToPath(new URL("../../", import.meta.url));

// What would make the programs of the stack look for another etcd, other keys or other files than those they are given.
const OVERRIDING =
  /^(ETCD|LB_|SERVICE|SETTINGS_PREFIX|NODES_PREFIX|HAPROXY_CONFIG|STATE_DIR|BACKEND_|LEASE_TTL)/;

/** What the parts of one running stack share. */
export interface StackContext {
  /** A directory of this stack alone, with a short path. */
  dir: string;
  /** Where each process has its log file. */
  logDir: string;
  /** The ports that it uses. */
  layout: StackLayout;
  /** Aborts when the stack has to stop, with the reason. */
  signal: AbortSignal;
  /** To be called when a process ends that should not. */
  onUnexpectedExit: (process: LocalProcess, status: Deno.CommandStatus) => void;
}

/** One of the project's programs as a process of the stack. */
export interface DenoProcessOptions {
  name: string;
  /** `deno run`'s flags, the program and its arguments. */
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** As in `ProcessOptions`. */
  signalIfOrphaned: "SIGTERM" | "SIGKILL";
}

/**
 * Starts one of the project's programs with this Deno.
 *
 * Each is in a session of its own: on Ctrl-C the stack is taken down in order, not all of it at once.
 */
export function startDeno(context: StackContext, options: DenoProcessOptions): LocalProcess {
  const { logDir, onUnexpectedExit } = context;
  return startProcess({
    name: options.name,
    command: Deno.execPath(),
    args: ["run", "--no-prompt", ...options.args],
    env: { ...plainEnvironment(), ...options.env },
    cwd: PROJECT_DIR,
    logFile: `${logDir}/${options.name}.log`,
    detached: true,
    signalIfOrphaned: options.signalIfOrphaned,
    onUnexpectedExit,
  });
}

function plainEnvironment(): Record<string, string> {
  const variables = Object.entries(Deno.env.toObject());
  return Object.fromEntries(variables.filter(([name]) => !OVERRIDING.test(name)));
}
