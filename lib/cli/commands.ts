import { resolve } from "node:path";
import { RENDER_FLAGS } from "../config/options.ts";
import { ETCD_FLAGS, readEtcdOptions } from "../etcd/options.ts";
import type { NodeSettings, WrapHaproxy } from "../node/node.ts";
import {
  ADMIN_FLAGS,
  APPLY_FLAGS,
  GUARD_FLAGS,
  readGuard,
  readRunOptions,
  RUN_FLAGS,
} from "../node/options.ts";
import { readRegisterOptions, REGISTER_FLAGS } from "../register/options.ts";
import { readFlags, type Sources } from "../util/flag.ts";
import { VERSION } from "../util/version.ts";
import {
  DIFF_FLAGS,
  LOG_FLAGS,
  OPERATOR_FLAGS,
  type OperatorAction,
  readServerName,
  readStatusOptions,
  readWeight,
  STATUS_FLAGS,
} from "./options.ts";
import type { ReadSettings } from "./registry.ts";

/** All flags by topic, for `--help` and `docs/flags.md`. */
export const TOPICS = {
  "etcd": ETCD_FLAGS,
  "Configuration": RENDER_FLAGS,
  "Admin server": ADMIN_FLAGS,
  "Node": RUN_FLAGS,
  "Applying changes": APPLY_FLAGS,
  "Guard": GUARD_FLAGS,
  "diff": DIFF_FLAGS,
  "Registration": REGISTER_FLAGS,
  "Status": STATUS_FLAGS,
  "Operator commands": OPERATOR_FLAGS,
  "Log": LOG_FLAGS,
};

export type Topic = keyof typeof TOPICS;

/** How a command was called. */
export interface Call {
  readonly sources: Sources;
  readonly operands: readonly string[];
  /** Put around the port to HAProxy of `run`. */
  readonly wrap: WrapHaproxy | undefined;
}

/** One command of the program. */
export interface Command {
  /** With its operands, as commander takes them. */
  readonly usage: string;
  readonly help: string;
  readonly topics: readonly Topic[];
  /** Returns the exit code; none is 0. */
  readonly run: (call: Call) => Promise<number | void>;
}

const command = (usage: string, help: string, rest: Pick<Command, "topics" | "run">): Command => ({
  usage,
  help,
  ...rest,
});
const READING: readonly Topic[] = ["etcd", "Configuration", "Admin server"];

/** All commands. Their code is loaded when they are called, so that a frequent health check does not load etcd's client. */
export const COMMANDS: readonly Command[] = [
  command("run", "run a node: follow etcd and drive HAProxy", {
    topics: [...READING, "Node", "Applying changes", "Guard", "Log"],
    run: ({ sources, wrap }) => {
      const settings = nodeSettings(sources);
      return logged(sources, async () => (await import("./run.ts")).run(settings, wrap));
    },
  }),
  command("render", "print the configuration for the current registry", {
    topics: READING,
    run: async ({ sources }) => (await import("./render.ts")).render(readSettings(sources)),
  }),
  command("check", "check options, haproxy, etcd and template", {
    topics: READING,
    run: async ({ sources }) => (await import("./check.ts")).check(readSettings(sources)),
  }),
  command("diff", "print what run would change", {
    topics: [...READING, "Applying changes", "Guard", "diff"],
    run: async ({ sources }) => {
      const changes = { ...readFlags({ ...APPLY_FLAGS, ...DIFF_FLAGS }, sources), guard: readGuard(sources) };
      return (await import("./diff.ts")).diff({ ...readSettings(sources), ...changes });
    },
  }),
  command("register [command...]", "register a process and deregister it cleanly", {
    topics: ["etcd", "Registration", "Log"],
    run: ({ sources, operands }) => {
      const options = readRegisterOptions(sources, Deno.hostname());
      const settings = { etcd: readEtcdOptions(sources), register: options };
      return logged(sources, async () => (await import("./register.ts")).register(settings, operands));
    },
  }),
  command("health", "check that the local controller is alive", {
    topics: ["Admin server"],
    run: async ({ sources }) =>
      (await import("./health.ts")).health(readFlags(ADMIN_FLAGS, sources).adminBind),
  }),
  command("status", "show all nodes, or wait for them", {
    topics: ["etcd", "Status"],
    run: async ({ sources }) => {
      const [settings, options] = [readEtcdOptions(sources), readStatusOptions(sources)];
      return (await import("./status.ts")).status(settings, options);
    },
  }),
  command(
    "drain <service/id>",
    "send a server no new requests, whatever its entry says",
    operating(() => ({ kind: "drain" })),
  ),
  command(
    "maint <service/id>",
    "put a server into maintenance, whatever its entry says",
    operating(() => ({ kind: "maint" })),
  ),
  command("ready <service/id>", "undo drain, maint and weight", operating(() => ({ kind: "ready" }))),
  command(
    "weight <service/id> <weight>",
    "set the weight of a server, whatever its entry says",
    operating((weight) => ({ kind: "weight", weight: readWeight(weight) })),
  ),
  command("version", "print the version", { topics: [], run: () => Promise.resolve(console.log(VERSION)) }),
];

/** The common part of the commands that override a server. `action` gets the second operand. */
function operating(action: (operand: string) => OperatorAction): Pick<Command, "topics" | "run"> {
  return {
    topics: ["etcd", "Operator commands"],
    run: async ({ sources, operands: [server = "", operand = ""] }) => {
      const settings = readEtcdOptions(sources);
      const options = readFlags(OPERATOR_FLAGS, sources);
      const command = { ...options, server: readServerName(server), action: action(operand) };
      return (await import("./operator.ts")).operate(settings, command);
    },
  };
}

/**
 * The settings of `run`.
 *
 * @throws {ControllerError} (usage) naming the flag or the variable that is wrong
 */
export function nodeSettings(sources: Sources): NodeSettings {
  const { attach, ...run } = readRunOptions(sources);
  return { ...readSettings(sources), run: { ...run, attach: attach && resolve(attach) } };
}

/** Paths become absolute, because HAProxy gets them and does not start in the same directory. */
function readSettings(sources: Sources): ReadSettings {
  const { config, stateDir, ...render } = readFlags(RENDER_FLAGS, sources);
  return {
    etcd: readEtcdOptions(sources),
    render: { ...render, config: resolve(config), stateDir: resolve(stateDir) },
    ...readFlags(ADMIN_FLAGS, sources),
  };
}

/** Calls `action` with the log set up, and writes the last lines of the log. */
async function logged<T>(sources: Sources, action: () => Promise<T>): Promise<T> {
  const { format = Deno.stderr.isTerminal() ? "text" : "json", level } = readFlags(LOG_FLAGS, sources);
  const { configureLog, flushLog } = await import("../util/log.ts");
  await configureLog({ format, level: level === "warn" ? "warning" : level });
  try {
    return await action();
  } finally {
    await flushLog();
  }
}
