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

type End =
  | { readonly kind: "asked" }
  | { readonly kind: "child"; readonly code: number }
  | { readonly kind: "taken"; readonly error: ControllerError };

async function runUntilEnd(parts: Parts): Promise<number> {
  const { kept, signals, stopTimeoutMs } = parts;
  const end = await firstEnd(parts);
  switch (end.kind) {
    case "asked":
      return await stopOrderly(parts);
    case "child":
      log().info("the command has ended", { code: end.code });
      await kept.remove();
      await stopRest(parts, { limitMs: stopTimeoutMs, hurry: signals.next() });
      return end.code;
    case "taken":
      await kept.remove();
      await stopChild(parts);
      throw end.error;
  }
}

function firstEnd({ signals, child, kept }: Parts): Promise<End> {
  const { promise, resolve } = Promise.withResolvers<End>();
  aborted(signals.stop).then(() => resolve({ kind: "asked" }));
  child?.ended.then((code) => resolve({ kind: "child", code }));
  kept.taken.then((error) => resolve({ kind: "taken", error }));
  return promise;
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
