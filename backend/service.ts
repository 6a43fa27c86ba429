import type { Host } from "../lib/registry/address.ts";
import { ControllerError, messageOf } from "../lib/util/errors.ts";
import { type CallBounds, within } from "../lib/util/time.ts";
import type { EtcdClient } from "../lib/etcd/client.ts";
import { deregister } from "../lib/register/deregister.ts";
import { openEtcd } from "../lib/etcd/open.ts";
import { findOwnHost } from "../lib/register/own_host.ts";
import { register, type Registration } from "../lib/register/registration.ts";
import { ownerText } from "../lib/register/step.ts";
import type { EtcdSettings } from "../lib/etcd/options.ts";
import { deregistrationText } from "../lib/register/deregistration.ts";
import { entryValue } from "../lib/registry/entry_format.ts";
import { log } from "./log.ts";
import { describeEvent, describeRemoval } from "./messages.ts";
import type { BackendOptions } from "./options.ts";
import { serve } from "./server.ts";

const REMOVE_LIMIT_MS = 2_500;

/** `stop` asks the service to end; `hurry` tells it not to wait for anything any longer. */
export interface ServiceSignals {
  readonly stop: AbortSignal;
  readonly hurry: AbortSignal;
}

/**
 * Serves and stays registered until it is asked to stop: then nodes drain it, it ends, and its key is removed.
 *
 * @throws {ControllerError} if the port cannot be listened on, credentials cannot be read, or its key belongs to somebody else
 */
export async function runService(options: BackendOptions, signals: ServiceSignals): Promise<void> {
  const { etcd, name, register: { host: toldHost, port, stopTimeoutMs } } = options;
  const client = await openEtcd(etcd, () => log("etcd credentials renewed"));
  const server = serve({ name, port });
  log(`${name} listens on port ${port}`);
  const host = toldHost ?? await ownHost(etcd, signals.stop);
  const registration = host && await serveRegistered(client, { options, host, signals });
  await closeServer(server, { limitMs: stopTimeoutMs, signal: signals.hurry });
  if (registration !== undefined) await endRegistration(registration);
  client.close();
}

async function endRegistration(registration: Registration): Promise<void> {
  const removal = await registration.remove({ limitMs: REMOVE_LIMIT_MS });
  const end = await registration.ended;
  if (end.kind !== "taken") return log(describeRemoval(removal, registration.key));
  throw new ControllerError("operator", `Cannot register ${registration.key}: ${ownerText(end.leaseId)}`);
}

/** All that a service does for its registration: put it, and have nodes drain it before it stops. */
async function serveRegistered(
  client: EtcdClient,
  { options, host, signals }: { options: BackendOptions; host: Host; signals: ServiceSignals },
): Promise<Registration> {
  const { servicesPrefix, nodesPrefix } = options.etcd;
  const { service, id, port, leaseTtlSeconds, drainTimeoutMs } = options.register;
  const entry = { ...options.register.entry, address: { host, port } };
  const server = `${service}/${id}`;
  const key = `${servicesPrefix}${server}`;
  const registration = register({
    kv: client.kv,
    key,
    value: entryValue(entry, "ready"),
    ttlSeconds: leaseTtlSeconds,
    onEvent: (event) => log(describeEvent(event, key)),
  });
  await Promise.race([untilAborted(signals.stop), registration.ended]);
  const drainValue = entryValue(entry, "drain");
  const { hurry } = signals;
  const limitMs = drainTimeoutMs;
  log(
    deregistrationText(
      await deregister({ client, registration, server, drainValue, nodesPrefix, limitMs, hurry }),
    ),
  );
  return registration;
}

/** `undefined` if it was asked to stop before etcd could be reached. */
async function ownHost({ endpoints }: EtcdSettings, stop: AbortSignal): Promise<Host | undefined> {
  const onFailure = (error: unknown, attempt: number) => {
    if (attempt === 1) log(`waiting for etcd, serving meanwhile: ${messageOf(error)}`);
  };
  try {
    return await findOwnHost({ endpoints, onFailure, signal: stop });
  } catch (error) {
    if (stop.aborted) return undefined;
    throw error;
  }
}

async function closeServer(server: Deno.HttpServer, bounds: CallBounds): Promise<void> {
  try {
    await within(server.shutdown(), bounds);
    log("ended");
  } catch {
    log("ended with requests in flight");
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise;
}
