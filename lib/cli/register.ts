import type { ControllerError } from "../util/errors.ts";
import { log } from "../util/log.ts";
import { aborted } from "../util/time.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { type Child, startChild } from "../register/child.ts";
import { keepRegistered, type KeptRegistration } from "../register/keep.ts";
import { logEnding, logRegister } from "../register/log.ts";
import type { RegisterOptions } from "../register/options.ts";
import type { StopLimits } from "../register/process_group.ts";
import { connectEtcd } from "./connect.ts";
import { listenForStop, passSignalsOn, type StopSignals } from "./signals.ts";

export interface RegisterSettings {
  readonly etcd: EtcdSettings;
  readonly register: RegisterOptions;
}

/**
 * `etcd-haproxy register`: keeps a process registered: a command that it runs, or without one until SIGTERM or SIGINT.
 *
 * @returns the exit code of the command
 * @throws {ControllerError} when the command cannot be started, or another lease owns the key
 */
export async function register(settings: RegisterSettings, command: readonly string[]): Promise<number> {
  const signals = listenForStop();
  const client = await connectEtcd(settings.etcd);
  try {
    const [program, ...args] = command;
    const child = program === undefined ? undefined : startChild(program, args);
    if (child !== undefined) passSignalsOn(child.send);
    const kept = keepRegistered({ ...settings, client, onEvent: logRegister });
    return await runUntilEnd({ kept, signals, child, stopTimeoutMs: settings.register.stopTimeoutMs });
  } finally {
    client.close();
  }
}

interface Parts {
  readonly kept: KeptRegistration;
  readonly signals: StopSignals;
  readonly child: Child | undefined;
  readonly stopTimeoutMs: number;
}

/** Ends in the way of what happens first: a signal, the command's end, or another owner of the key. */
async function runUntilEnd(parts: Parts): Promise<number> {
  const { kept, signals, child } = parts;
  const { promise: end, resolve } = Promise.withResolvers<() => Promise<number>>();
  aborted(signals.stop).then(() => resolve(() => stopOrderly(parts)));
  child?.ended.then((code) => resolve(() => followChild(parts, code)));
  kept.taken.then((error) => resolve(() => giveUp(parts, error)));
  return await (await end)();
}

async function followChild(parts: Parts, code: number): Promise<number> {
  log().info("the command has ended", { code });
  await parts.kept.remove();
  await stopRest(parts, { limitMs: parts.stopTimeoutMs, hurry: parts.signals.next() });
  return code;
}

async function giveUp(parts: Parts, error: ControllerError): Promise<never> {
  await parts.kept.remove();
  await stopChild(parts);
  throw error;
}

async function stopOrderly(parts: Parts): Promise<number> {
  const { kept, signals, child } = parts;
  const childEnded = new AbortController();
  child?.ended.then(() => childEnded.abort());
  await kept.drain(AbortSignal.any([signals.next(), childEnded.signal]));
  const code = await stopChild(parts);
  await kept.remove();
  return code;
}

async function stopChild(parts: Parts): Promise<number> {
  const { child, stopTimeoutMs, signals } = parts;
  if (child === undefined) return 0;
  const deadline = performance.now() + stopTimeoutMs;
  const hurry = signals.next();
  const ending = await child.stop({ limitMs: stopTimeoutMs, hurry });
  const code = await child.ended;
  logEnding("the command", ending, { code });
  if (ending === "asked") await stopRest(parts, { limitMs: deadline - performance.now(), hurry });
  return code;
}

async function stopRest({ child }: Parts, limits: StopLimits): Promise<void> {
  const ending = await child?.stopRest(limits);
  if (ending !== undefined) logEnding("what the command left running", ending);
}
