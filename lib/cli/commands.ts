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
import { type Flags, readFlags, type Sources } from "../util/flag.ts";
import { LOG_FLAGS } from "../util/log_options.ts";
import { VERSION } from "../util/version.ts";
import {
  DIFF_FLAGS,
  OPERATOR_FLAGS,
  type OperatorAction,
  readServerName,
  readStatusOptions,
  readWeight,
  STATUS_FLAGS,
} from "./options.ts";
import type { ReadSettings } from "./registry.ts";

/** Flags with a heading, for `--help` and `docs/flags.md`. */
export interface FlagGroup {
  readonly title: string;
  readonly flags: Flags;
}

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
  readonly groups: readonly FlagGroup[];
  /** Returns the exit code; none is 0. */
  readonly run: (call: Call) => Promise<number | void>;
}

const ETCD = { title: "etcd", flags: ETCD_FLAGS };
const CONFIGURATION = { title: "Configuration", flags: RENDER_FLAGS };
const ADMIN = { title: "Admin server", flags: ADMIN_FLAGS };
const NODE = { title: "Node", flags: RUN_FLAGS };
const APPLY = { title: "Applying changes", flags: APPLY_FLAGS };
const GUARD = { title: "Guard", flags: GUARD_FLAGS };
const LOG = { title: "Log", flags: LOG_FLAGS };
const REGISTRATION = { title: "Registration", flags: REGISTER_FLAGS };
const STATUS = { title: "Status", flags: STATUS_FLAGS };
const DIFFERENCE = { title: "diff", flags: DIFF_FLAGS };
const OPERATORS = { title: "Operator commands", flags: OPERATOR_FLAGS };
const READING = [ETCD, CONFIGURATION, ADMIN];

/** All commands. Their code is loaded when they are called: a frequent health check must not pay for etcd's client. */
export const COMMANDS: readonly Command[] = [
  {
    usage: "run",
    help: "run a node: follow etcd and drive HAProxy",
    groups: [...READING, NODE, APPLY, GUARD, LOG],
    run: ({ sources, wrap }) => {
      const settings = nodeSettings(sources);
      return logged(sources, async () => (await import("./run.ts")).run(settings, wrap));
    },
  },
  {
    usage: "render",
    help: "print the configuration for the current registry",
    groups: READING,
    run: async ({ sources }) => (await import("./render.ts")).render(readSettings(sources)),
  },
  {
    usage: "check",
    help: "check options, haproxy, etcd and template",
    groups: READING,
    run: async ({ sources }) => (await import("./check.ts")).check(readSettings(sources)),
  },
  {
    usage: "diff",
    help: "print what run would change",
    groups: [...READING, APPLY, GUARD, DIFFERENCE],
    run: async ({ sources }) => {
      const changes = { ...readFlags({ ...APPLY_FLAGS, ...DIFF_FLAGS }, sources), guard: readGuard(sources) };
      return (await import("./diff.ts")).diff({ ...readSettings(sources), ...changes });
    },
  },
  {
    usage: "register [command...]",
    help: "register a process and deregister it cleanly",
    groups: [ETCD, REGISTRATION, LOG],
    run: ({ sources, operands }) => {
      const options = readRegisterOptions(sources, Deno.hostname());
      const settings = { etcd: readEtcdOptions(sources), register: options };
      return logged(sources, async () => (await import("./register.ts")).register(settings, operands));
    },
  },
  {
    usage: "health",
    help: "check that the local controller is alive",
    groups: [ADMIN],
    run: async ({ sources }) =>
      (await import("./health.ts")).health(readFlags(ADMIN_FLAGS, sources).adminBind),
  },
  {
    usage: "status",
    help: "show all nodes, or wait for them",
    groups: [ETCD, STATUS],
    run: async ({ sources }) => {
      const [settings, options] = [readEtcdOptions(sources), readStatusOptions(sources)];
      return (await import("./status.ts")).status(settings, options);
    },
  },
  operator({
    usage: "drain <service/id>",
    help: "send a server no new requests, whatever its entry says",
    action: () => ({ kind: "drain" }),
  }),
  operator({
    usage: "maint <service/id>",
    help: "put a server into maintenance, whatever its entry says",
    action: () => ({ kind: "maint" }),
  }),
  operator({
    usage: "ready <service/id>",
    help: "undo drain, maint and weight",
    action: () => ({ kind: "ready" }),
  }),
  operator({
    usage: "weight <service/id> <weight>",
    help: "set the weight of a server, whatever its entry says",
    action: (weight) => ({ kind: "weight", weight: readWeight(weight) }),
  }),
  {
    usage: "version",
    help: "print the version",
    groups: [],
    run: () => Promise.resolve(console.log(VERSION)),
  },
];

/** A command by which operators override a server; `action` gets the second operand. */
function operator(
  { action, ...about }: Pick<Command, "usage" | "help"> & { action: (operand: string) => OperatorAction },
): Command {
  return {
    ...about,
    groups: [ETCD, OPERATORS],
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

/** HAProxy is told these paths, and does not start in the same directory. */
function readSettings(sources: Sources): ReadSettings {
  const { config, stateDir, ...render } = readFlags(RENDER_FLAGS, sources);
  return {
    etcd: readEtcdOptions(sources),
    render: { ...render, config: resolve(config), stateDir: resolve(stateDir) },
    ...readFlags(ADMIN_FLAGS, sources),
  };
}

/** Does something that logs: the program ends right afterwards. */
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
