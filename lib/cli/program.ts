import { resolve } from "node:path";
import { Command, CommanderError, Option } from "commander";
import { ControllerError, messageOf } from "../util/errors.ts";
import { escapeLines } from "../util/escape.ts";
import { ETCD_OPTIONS, type EtcdSettings, readEtcdOptions, withPassword } from "../etcd/options.ts";
import { LOG_OPTIONS, readLogOptions } from "../util/log_options.ts";
import {
  OPERATOR_OPTIONS,
  type OperatorAction,
  readOperatorOptions,
  readServerName,
  readStatusOptions,
  readWeight,
  STATUS_OPTIONS,
} from "./nodes_options.ts";
import { fromEnvironment, type OptionSpec, type RawOptions } from "../util/options.ts";
import { readRegisterOptions, REGISTER_OPTIONS } from "../register/options.ts";
import { readRenderOptions, RENDER_OPTIONS, type RenderOptions } from "../config/options.ts";
import {
  ADMIN_OPTIONS,
  APPLY_OPTIONS,
  readAdminBind,
  readApplyMode,
  readGuard,
  readRunOptions,
  RUN_OPTIONS,
} from "../node/options.ts";
import { stderrLines } from "../util/stderr.ts";
import { VERSION } from "../util/version.ts";
import type { WrapHaproxy } from "../node/node.ts";

const USAGE_EXIT = 2;

/**
 * Runs the command line and returns the exit code: 0, 1 when it could not be done, 2 for wrong usage.
 *
 * @param wrap put around the port to HAProxy of `run`
 */
export async function runProgram(args: readonly string[], wrap?: WrapHaproxy): Promise<number> {
  let code = 0;
  const program = createProgram((result) => code = result, wrap);
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    return await explain(error);
  }
}

/** One line for whatever went wrong; only a bug is worth a stack trace. */
async function explain(error: unknown): Promise<number> {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    const message = error.code === "commander.help"
      ? "no command given"
      : messageOf(error).replace(/^error: /, "");
    await say(`${message} (see etcd-haproxy help)`);
    return USAGE_EXIT;
  }
  if (!(error instanceof ControllerError)) throw error;
  await say(escapeLines(error.message));
  return error.kind === "usage" ? USAGE_EXIT : 1;
}

/** The last line of a program that ends, whether somebody reads it or not. */
async function say(text: string): Promise<void> {
  const stderr = stderrLines(() => {});
  stderr.put(`etcd-haproxy: ${text}\n`);
  await stderr.flush();
}

function createProgram(setCode: (code: number) => void, wrap: WrapHaproxy | undefined): Command {
  const program = new Command("etcd-haproxy")
    .description(
      "HAProxy that follows etcd: backends register in etcd, HAProxy serves them, no request is dropped",
    )
    .helpCommand("help [command]", "print help for a command")
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
  const add = (
    name: string,
    text: string,
    specs: readonly OptionSpec[],
    action: (raw: RawOptions, operands: readonly string[]) => Promise<number | void>,
  ) => {
    const run: CommandSpec["action"] = async (raw, operands) => setCode(await action(raw, operands) ?? 0);
    addCommand(program, { name, text, specs, action: run });
  };

  add("run", "run the node: follow etcd, drive HAProxy, until SIGTERM", [
    ...ETCD_OPTIONS,
    ...RENDER_OPTIONS,
    ...ADMIN_OPTIONS,
    ...APPLY_OPTIONS,
    ...RUN_OPTIONS,
    ...LOG_OPTIONS,
  ], (raw) => runNode(raw, wrap));
  // Commands are loaded when they are called: a health check every few seconds must not pay for etcd's client.
  const reading = [...ETCD_OPTIONS, ...RENDER_OPTIONS, ...ADMIN_OPTIONS];
  add("render", "print the configuration for the registry as it is now", reading, async (raw) => {
    return (await import("./render.ts")).render(readSettings(raw));
  });
  add("check", "tell whether options, template, etcd and haproxy are in order", reading, async (raw) => {
    return (await import("./check.ts")).check(readSettings(raw));
  });
  add("diff", "print what run would change", [...reading, ...APPLY_OPTIONS, EXIT_CODE], async (raw) => {
    const settings = { ...readSettings(raw), mode: readApplyMode(raw), guard: readGuard(raw) };
    return (await import("./diff.ts")).diff(settings, { exitCode: raw["exit-code"] === true });
  });
  add(
    "register [command...]",
    "keep a registration, for a command that it runs (after --) or until SIGTERM",
    [...ETCD_OPTIONS, ...REGISTER_OPTIONS, ...LOG_OPTIONS],
    registerProcess,
  );
  add("health", "ask the controller on this machine whether it lives", ADMIN_OPTIONS, async (raw) => {
    return (await import("./health.ts")).health(readAdminBind(raw));
  });
  add("status", "show all nodes, or wait for them", [...ETCD_OPTIONS, ...STATUS_OPTIONS], async (raw) => {
    const settings = etcdSettings(raw);
    const options = readStatusOptions(raw);
    return (await import("./status.ts")).status(settings, options);
  });
  const operating = [...ETCD_OPTIONS, ...OPERATOR_OPTIONS];
  for (const [kind, text] of OPERATOR_STATES) {
    add(`${kind} <service/id>`, text, operating, (raw, [server]) => operateOn(raw, server, { kind }));
  }
  add(
    "weight <service/id> <weight>",
    "give a server another weight, whatever its entry says",
    operating,
    (raw, [server, weight = ""]) => operateOn(raw, server, { kind: "weight", weight: readWeight(weight) }),
  );
  add("version", "print the version", [], () => {
    console.log(VERSION);
    return Promise.resolve();
  });
  return program;
}

const OPERATOR_STATES = [
  ["drain", "keep new requests from a server, whatever its entry says"],
  ["maint", "put a server into maintenance, whatever its entry says"],
  ["ready", "take back what drain, maint and weight have changed"],
] as const;

async function operateOn(raw: RawOptions, server = "", action: OperatorAction): Promise<number> {
  const settings = etcdSettings(raw);
  const command = { ...readOperatorOptions(raw), server: readServerName(server), action };
  return await (await import("./operator.ts")).operate(settings, command);
}

const EXIT_CODE: OptionSpec = {
  flag: "exit-code",
  value: undefined,
  env: undefined,
  fallback: undefined,
  help: "exit with 1 when there is something to change",
};

async function registerProcess(raw: RawOptions, command: readonly string[]): Promise<number> {
  const settings = { etcd: etcdSettings(raw), register: readRegisterOptions(raw, Deno.hostname()) };
  return await logged(raw, async () => {
    const { register } = await import("./register.ts");
    return await register(settings, command);
  });
}

async function runNode(raw: RawOptions, wrap: WrapHaproxy | undefined): Promise<void> {
  const options = readRunOptions(raw);
  const attach = options.attach === undefined ? undefined : resolve(options.attach);
  const settings = { ...readSettings(raw), run: { ...options, attach } };
  await logged(raw, async () => {
    const { run } = await import("./run.ts");
    await run(settings, wrap);
  });
}

/** Does something that logs: the program ends right afterwards. */
async function logged<T>(raw: RawOptions, action: () => Promise<T>): Promise<T> {
  const { format, level } = readLogOptions(raw);
  const { configureLog, flushLog } = await import("../util/log.ts");
  await configureLog({ format: format ?? (Deno.stderr.isTerminal() ? "text" : "json"), level });
  try {
    return await action();
  } finally {
    await flushLog();
  }
}

function readSettings(raw: RawOptions) {
  return {
    etcd: etcdSettings(raw),
    render: absolute(readRenderOptions(raw)),
    adminBind: readAdminBind(raw),
  };
}

/** The password alone has no flag. */
function etcdSettings(raw: RawOptions): EtcdSettings {
  return withPassword(readEtcdOptions(raw), Deno.env.get("ETCD_PASSWORD"));
}

/** HAProxy is told these paths, and does not start in the same directory. */
function absolute(options: RenderOptions): RenderOptions {
  return { ...options, config: resolve(options.config), stateDir: resolve(options.stateDir) };
}

interface CommandSpec {
  /** With its operands, as commander takes them. */
  readonly name: string;
  readonly text: string;
  readonly specs: readonly OptionSpec[];
  readonly action: (raw: RawOptions, operands: readonly string[]) => Promise<void>;
}

function addCommand(program: Command, { name, text, specs, action }: CommandSpec): void {
  const command = program.command(name).description(text).allowExcessArguments(false).exitOverride();
  specs.forEach((spec) => command.addOption(commandOption(spec)));
  command.action(async () => {
    const given = command.opts();
    const raw = Object.fromEntries(specs.map((spec) => [spec.flag, rawValue(spec, given)]));
    await action(raw, command.args);
  });
}

function commandOption({ flag, value, env, fallback, help, optional, repeats }: OptionSpec): Option {
  const notes = [env && `env ${env}`, fallback && `default ${fallback}`].filter(Boolean).join(", ");
  const option = new Option(
    value === undefined ? `--${flag}` : optional ? `--${flag} [${value}]` : `--${flag} <${value}>`,
    notes === "" ? help : `${help} (${notes})`,
  );
  return repeats ? option.argParser((one: string, all: readonly string[] = []) => [...all, one]) : option;
}

/** A flag wins over the environment, which wins over the default. */
function rawValue(spec: OptionSpec, given: Record<string, unknown>): RawOptions[string] {
  const value = given[spec.flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
  if (typeof value === "string" || typeof value === "boolean" || Array.isArray(value)) return value;
  return fromEnvironment(spec, (variable) => Deno.env.get(variable));
}
