/**
 * Plays the scenarios of `tests/scenarios/`, all or those that are named, and prints the result of each fault.
 *
 * Exit codes: 0 every scenario that was played passed, 1 one did not, 2 wrong usage, 128 + n after signal n.
 */
import { Command, InvalidArgumentError } from "commander";
import { missingRequirement } from "../tests/support/requirements.ts";
import { playScenario, type Scenario } from "../tests/support/scenario.ts";
import { listScenarios } from "../tests/support/scenario_list.ts";
import { type ChaosResult, chaosTable, lateLines, replaceTable } from "./chaos/table.ts";
import { bold, complain, dim, duration, green, red, say } from "./local/terminal.ts";
import { exitWith, untilAskedToEnd } from "./stack/main_program.ts";

const PAGE = new URL("../docs/reliability.md", import.meta.url);

interface ChaosOptions {
  readonly names: readonly string[];
  readonly times: number;
  readonly write: boolean;
}

async function main(options: ChaosOptions, signal: AbortSignal): Promise<number> {
  const all = await listScenarios();
  const unknown = options.names.filter((name) => !all.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    complain(`Cannot play ${unknown.join(", ")}: there is ${all.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  const chosen = options.names.length === 0 ? all : all.filter(({ name }) => options.names.includes(name));
  const results: ChaosResult[] = [];
  for (const scenario of chosen) results.push(await resultOf(scenario, options.times, signal));
  const table = chaosTable(results);
  say();
  say(table);
  for (const line of lateLines(results)) say(red(`Too late: ${line}`));
  const broken = results.filter(({ kind }) => kind === "broken");
  if (broken.length > 0) {
    say(red(`${broken.length} of ${results.length} scenarios failed`));
    return 1;
  }
  if (options.write) await Deno.writeTextFile(PAGE, replaceTable(await Deno.readTextFile(PAGE), table));
  return 0;
}

async function resultOf(scenario: Scenario, times: number, signal: AbortSignal): Promise<ChaosResult> {
  const { name, fault } = scenario;
  say(bold(`${name}: ${fault}`));
  const reason = await missingRequirement(scenario.needs);
  if (reason !== undefined) {
    say(dim(`   skipped: ${reason}`));
    return { kind: "skipped", name, fault, reason };
  }
  let worst: ChaosResult | undefined;
  for (let round = 0; round < times; round++) {
    const result = await play(scenario, signal);
    if (result.kind !== "played") return result;
    worst = worst === undefined ? result : worse(worst, result);
  }
  return worst ?? { kind: "broken", name, fault, reason: "it was not played" };
}

async function play(scenario: Scenario, signal: AbortSignal): Promise<ChaosResult> {
  const { name, fault, mayFail } = scenario;
  try {
    const report = await playScenario(scenario, { onNote: (text) => say(dim(`   ${text}`)), signal });
    const { requests, failed, noticedMs, rightMs, tookMs } = report;
    const failures = failed === 0 ? "none failed" : `failed: ${report.failures.join(", ")}`;
    say(green(`   ${requests} requests, ${failures}; took ${duration(tookMs)}`));
    return { kind: "played", name, fault, requests, failed, mayFail, noticedMs, rightMs };
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    say(red(`   ${reason}`));
    return { kind: "broken", name, fault, reason };
  }
}

/** The worst of each column. */
function worse(a: ChaosResult, b: ChaosResult): ChaosResult {
  if (a.kind !== "played" || b.kind !== "played") return a;
  return {
    ...a,
    requests: a.requests + b.requests,
    failed: a.failed + b.failed,
    noticedMs: later(a.noticedMs, b.noticedMs),
    rightMs: later(a.rightMs, b.rightMs),
  };
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? a ?? b : Math.max(a, b);
}

function parseTimes(text: string): number {
  const times = Number(text);
  if (Number.isInteger(times) && times > 0) return times;
  throw new InvalidArgumentError("it must be a whole number above 0");
}

function parse(args: string[]): ChaosOptions {
  const command = new Command("deno task chaos")
    .description("Plays faults on real etcd, HAProxy and clients, and prints the results.")
    .argument("[scenarios...]", "their names (files of tests/scenarios/); all if none is given")
    .option("--times <number>", "play each this many times, and show the worst of each column", parseTimes, 1)
    .option("--write", "put the table into docs/reliability.md, if all passed", false)
    .exitOverride((error) => Deno.exit(error.exitCode === 0 ? 0 : 2))
    .parse(args, { from: "user" });
  const { times, write } = command.opts<{ times: number; write: boolean }>();
  if (write && command.args.length > 0) {
    command.error("--write takes the table of all scenarios, not of some");
  }
  return { names: command.args, times, write };
}

if (import.meta.main) {
  const options = parse(Deno.args);
  await exitWith(untilAskedToEnd((signal) => main(options, signal)));
}
