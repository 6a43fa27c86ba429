import type { Host } from "../registry/address.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { deregister } from "../register/deregister.ts";
import { findOwnHost } from "../register/own_host.ts";
import { register as registerKey, type Registration } from "../register/registration.ts";
import { ownerText } from "../register/step.ts";
import type { EtcdSettings } from "../etcd/options.ts";
import { log } from "../util/log.ts";
import { ANY_NETWORK, objectionTo } from "../registry/allowed_addresses.ts";
import { entryValue } from "../registry/entry_format.ts";
import type { RegisterOptions } from "../register/options.ts";
import { type Child, startChild, type StopLimits } from "../register/child.ts";
import { connectEtcd } from "./connect.ts";
import { watchHealth } from "../register/health_gate.ts";
import { listenForStop, passSignalsOn, type StopSignals } from "./signals.ts";
import { logDeregistration, logEnding, logRegistration, logRemoval } from "../register/log.ts";

export interface RegisterSettings {
  readonly etcd: EtcdSettings;
  readonly register: RegisterOptions;
}

/** The call that removes the key takes no longer; a lease that is not revoked ends by itself. */
const REMOVE_LIMIT_MS = 2_500;

/**
 * `etcd-haproxy register`: keeps a registration for a command that it runs, or without one until SIGTERM or SIGINT.
 *
 * @returns the exit code of the command
 * @throws {ControllerError} when the command cannot be started, or the key belongs to somebody else
 */
export async function register(settings: RegisterSettings, command: readonly string[]): Promise<number> {
  const signals = listenForStop();
  const client = await connectEtcd(settings.etcd);
  try {
    const [program, ...args] = command;
    const child = program === undefined ? undefined : startChild(program, args);
    if (child !== undefined) passSignalsOn(child.send);
    return await runUntilEnd({ settings, client, signals, child });
  } finally {
    client.close();
  }
}

interface Parts {
  readonly settings: RegisterSettings;
  readonly client: EtcdClient;
  readonly signals: StopSignals;
  readonly child: Child | undefined;
}

type End =
  | { readonly kind: "asked" }
  | { readonly kind: "child"; readonly code: number }
  | { readonly kind: "taken"; readonly leaseId: string };

async function runUntilEnd(parts: Parts): Promise<number> {
  const kept = keepRegistration(parts);
  const end = await firstEnd(parts, kept.registration);
  switch (end.kind) {
    case "asked":
      return await stopOrderly(parts, kept);
    case "child":
      log().info("the command has ended", { code: end.code });
      await kept.remove();
      await stopRest(parts, { limitMs: parts.settings.register.stopTimeoutMs, hurry: parts.signals.next() });
      return end.code;
    case "taken":
      await kept.remove();
      await stopChild(parts);
      throw new ControllerError(
        "operator",
        `Cannot register ${kept.registration.key}: ${ownerText(end.leaseId)}`,
      );
  }
}

async function firstEnd({ signals, child }: Parts, { ended }: Registration): Promise<End> {
  const { promise, resolve } = Promise.withResolvers<End>();
  const onStop = () => resolve({ kind: "asked" });
  signals.stop.addEventListener("abort", onStop);
  if (signals.stop.aborted) onStop();
  child?.ended.then((code) => resolve({ kind: "child", code }));
  ended.then((end) => {
    if (end.kind === "taken") resolve(end);
  });
  return await promise;
}

async function stopOrderly(parts: Parts, kept: KeptRegistration): Promise<number> {
  const { signals, child } = parts;
  log().info("leaving", { key: kept.registration.key });
  const childEnded = new AbortController();
  child?.ended.then(() => childEnded.abort());
  await kept.deregister(AbortSignal.any([signals.next(), childEnded.signal]));
  const code = await stopChild(parts);
  await kept.remove();
  return code;
}

async function stopChild(parts: Parts): Promise<number> {
  const { child, settings, signals } = parts;
  if (child === undefined) return 0;
  const limitMs = settings.register.stopTimeoutMs;
  const deadline = performance.now() + limitMs;
  const hurry = signals.next();
  const ending = await child.stop({ limitMs, hurry });
  const code = await child.ended;
  logEnding("the command", ending, { code });
  if (ending === "asked") await stopRest(parts, { limitMs: deadline - performance.now(), hurry });
  return code;
}

async function stopRest({ child }: Parts, limits: StopLimits): Promise<void> {
  const ending = await child?.stopRest(limits);
  if (ending !== undefined) logEnding("what the command left running", ending);
}

type KeptRegistration = ReturnType<typeof keepRegistration>;

/** Keeps the registration as the health of the process asks, until it is deregistered. */
function keepRegistration({ settings, client }: Parts) {
  const { etcd, register: options } = settings;
  const server = `${options.service}/${options.id}`;
  const key = `${etcd.servicesPrefix}${server}`;
  const registration = registerKey({
    kv: client.kv,
    key,
    value: undefined,
    ttlSeconds: options.leaseTtlSeconds,
    onEvent: (event) => logRegistration(event, key),
  });
  const settled = new AbortController();
  let host = options.host;
  const value = (host: Host, state: "ready" | "drain") =>
    entryValue({ ...options.entry, address: { host, port: options.port } }, state);

  async function follow(signal: AbortSignal): Promise<void> {
    const own = host ??= await ownHost(etcd, signal);
    if (own === undefined) return;
    const objection = objectionTo({ host: own, port: options.port }, undefined, ANY_NETWORK);
    if (objection !== undefined) log().warn("nodes reject this address by default", { reason: objection });
    if (options.check === undefined) return void registration.update(value(own, "ready"));
    await watchHealth(options.check, {
      signal,
      onChange: (open) => {
        log().info(open ? "health check passes" : "health check fails", { key });
        if (open) registration.update(value(own, "ready"));
        else registration.withdraw();
      },
    });
  }

  const following = follow(settled.signal);
  return {
    registration,
    deregister: async (hurry: AbortSignal) => {
      settled.abort();
      await following;
      const drainValue = host === undefined ? "" : value(host, "drain");
      const { nodesPrefix } = etcd;
      const limitMs = options.drainTimeoutMs;
      logDeregistration(
        await deregister({ client, registration, server, drainValue, nodesPrefix, limitMs, hurry }),
      );
    },
    remove: async () => {
      settled.abort();
      const before = registration.state();
      const removal = await registration.remove({ limitMs: REMOVE_LIMIT_MS });
      logRemoval(removal, { key, before });
    },
  };
}

/** `undefined` if it has to stop before etcd could be reached. */
async function ownHost({ endpoints }: EtcdSettings, signal: AbortSignal): Promise<Host | undefined> {
  const onFailure = (error: unknown, attempt: number) => {
    if (attempt === 1) log().warn("waiting for etcd, serving meanwhile", { reason: messageOf(error) });
  };
  try {
    return await findOwnHost({ endpoints, onFailure, signal });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
