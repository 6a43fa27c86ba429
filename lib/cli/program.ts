import { Command, CommanderError, Option } from "commander";
import type { WrapHaproxy } from "../node/node.ts";
import { ControllerError } from "../util/errors.ts";
import { escapeLines, escapeText } from "../util/escape.ts";
import { defaultText, type Flag, type RawValue } from "../util/flag.ts";
import { stderrLines } from "../util/stderr.ts";
import { VERSION } from "../util/version.ts";
import { COMMANDS, TOPICS } from "./commands.ts";

const USAGE_EXIT = 2;

/**
 * Runs the command line and returns the exit code: 0, 1 when it could not be done, 2 for wrong usage.
 *
 * @param wrap put around the port to HAProxy of `run`
 */
export async function runProgram(args: readonly string[], wrap?: WrapHaproxy): Promise<number> {
  let code = 0;
  const program = new Command("etcd-haproxy")
    .description(
      "HAProxy that follows etcd: backends register in etcd, HAProxy serves them, no request is dropped",
    )
    .version(VERSION, "-V, --version", "print the version")
    .helpCommand("help [command]", "print help for a command")
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${operandsOf(command)}` })
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
  for (const { usage, help, topics, run } of COMMANDS) {
    const command = program.command(usage).description(help).allowExcessArguments(false).exitOverride();
    const options = topics.flatMap((topic) =>
      Object.values(TOPICS[topic]).map((flag) => commandOption(flag).helpGroup(`${topic}:`))
    );
    options.forEach((option) => command.addOption(option));
    command.action(async () => {
      const given = command.opts<Record<string, RawValue>>();
      const flags = Object.fromEntries(
        options.map((option) => [option.name(), given[option.attributeName()]]),
      );
      code = await run({ sources: { flags, env: Deno.env.toObject() }, operands: command.args, wrap }) ?? 0;
    });
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    return await explain(error, args);
  }
}

/** Without `[options]`, which every command has: the list of commands would not fit into 80 columns. */
function operandsOf(command: Command): string {
  return command.usage().replace(/^\[options\] ?/, "");
}

function commandOption(flag: Flag<unknown>): Option {
  const { name, value, env, help, valueIsOptional, repeats } = flag;
  const notes = [env && `env ${env}`, defaultText(flag)].filter(Boolean).join(", ");
  const operand = value && (valueIsOptional ? ` [${value}]` : ` <${value}>`);
  const option = new Option(`--${name}${operand ?? ""}`, notes === "" ? help : `${help} (${notes})`);
  return repeats ? option.argParser((one: string, all: readonly string[] = []) => [...all, one]) : option;
}

/** Prints one line about an error and returns the exit code. A bug is thrown again, for its stack trace. */
async function explain(error: unknown, args: readonly string[]): Promise<number> {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    await say(commanderText(error, args));
    return USAGE_EXIT;
  }
  if (!(error instanceof ControllerError)) throw error;
  // A wrong value is shown as it was given: line breaks in it are no lines of the message.
  const isUsage = error.kind === "usage";
  await say(isUsage ? escapeText(error.message, 500) : escapeLines(error.message));
  return isUsage ? USAGE_EXIT : 1;
}

/** Its suggestions come on a line of their own: `error: unknown command 'statu'\n(Did you mean status?)`. */
function commanderText({ code, message }: CommanderError, [first, ...others]: readonly string[]): string {
  const help = " (see etcd-haproxy help)";
  if (code === "commander.help") {
    return first === "help"
      ? `unknown command '${escapeText(others.join(" "))}'${help}`
      : `no command given${help}`;
  }
  const [, what = "", suggestion] = /^(?:error: )?(.*?)\.?(?:\n\(Did (.*)\))?$/s.exec(message) ?? [];
  return `${escapeText(what)}${suggestion ? `: did ${suggestion}` : help}`;
}

/** Writes the last line of the program. It does not wait for a reader. */
async function say(text: string): Promise<void> {
  const stderr = stderrLines(() => {});
  stderr.put(`etcd-haproxy: ${text}\n`);
  await stderr.flush();
}
