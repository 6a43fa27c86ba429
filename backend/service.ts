import { delay } from "@std/async/delay";
import type { Address, Host } from "../lib/address.ts";
import { ControllerError, messageOf } from "../lib/errors.ts";
import { bounded } from "../lib/etcd/bounded.ts";
import { createEtcdClient, type EtcdClient } from "../lib/etcd/client.ts";
import { register, type Registration } from "../lib/etcd/registration.ts";
import { ownerText } from "../lib/etcd/registration_step.ts";
import { entryValue } from "./entry.ts";
import { log } from "./log.ts";
import { describeEvent, describeRemoval } from "./messages.ts";
import type { BackendOptions } from "./options.ts";
import { findOwnHost } from "./own_host.ts";
import { serve } from "./server.ts";

/** How long it goes on answering after it asked the load balancers to drain it. */
const GRACE_MS = 3_000;
const DRAIN_LIMIT_MS = 2_000;
const REMOVE_LIMIT_MS = 2_500;
const IN_FLIGHT_LIMIT_MS = 5_000;

/** `leave` asks the service to end; `hurry` tells it not to wait for anything any longer. */
export interface ServiceSignals {
  readonly leave: AbortSignal;
  readonly hurry: AbortSignal;
}

/**
 * Serves and stays registered until it is asked to leave. Returns when it has left; requests that are then still in
 * flight have had their time.
 *
 * @throws {ControllerError} if the port cannot be listened on
 */
export async function runService(options: BackendOptions, signals: ServiceSignals): Promise<void> {
  const server = serve(options);
  log(`${options.name} listens on port ${options.port}`);
  const etcd = createEtcdClient({ endpoints: options.endpoints });
  const host = options.host ?? await ownHost(options, signals.leave);
  if (host !== undefined) await stayRegistered(etcd, { options, host, signals });
  etcd.close();
  await closeServer(server, signals.hurry);
}

/** `undefined` if it was asked to leave before etcd could be reached. */
async function ownHost({ endpoints }: BackendOptions, leave: AbortSignal): Promise<Host | undefined> {
  const onFailure = (error: unknown, attempt: number) => {
    if (attempt === 1) log(`waiting for etcd, serving meanwhile: ${messageOf(error)}`);
  };
  try {
    return await findOwnHost({ endpoints, onFailure, signal: leave });
  } catch (error) {
    if (leave.aborted) return undefined;
    throw error;
  }
}

async function stayRegistered(
  etcd: EtcdClient,
  { options, host, signals }: { options: BackendOptions; host: Host; signals: ServiceSignals },
): Promise<void> {
  const { servicesPrefix, service, id, port, leaseTtlSeconds } = options;
  const address = { host, port };
  const key = `${servicesPrefix}${service}/${id}`;
  const registration = register({
    kv: etcd.kv,
    key,
    value: entryValue(address, "ready"),
    ttlSeconds: leaseTtlSeconds,
    onEvent: (event) => {
      const message = describeEvent(event, key);
      if (message !== undefined) log(message);
    },
  });
  const ended = await Promise.race([untilAborted(signals.leave), registration.ended]);
  if (ended?.kind === "taken") {
    throw new ControllerError("operator", `Cannot register ${key}: ${ownerText(ended.leaseId)}`);
  }
  await drain(registration, address, signals.hurry);
  log(describeRemoval(await registration.remove({ limitMs: REMOVE_LIMIT_MS }), key));
}

async function drain(registration: Registration, address: Address, hurry: AbortSignal): Promise<void> {
  log(`draining for ${GRACE_MS} ms`);
  try {
    const update = registration.update(entryValue(address, "drain"));
    await bounded(update, { limitMs: DRAIN_LIMIT_MS, signal: hurry });
  } catch (error) {
    if (!hurry.aborted) log(`cannot tell etcd to drain: ${messageOf(error)}`);
  }
  await delay(GRACE_MS, { signal: hurry }).catch(() => log("a second signal: not waiting any longer"));
}

async function closeServer(server: Deno.HttpServer, hurry: AbortSignal): Promise<void> {
  try {
    await bounded(server.shutdown(), { limitMs: IN_FLIGHT_LIMIT_MS, signal: hurry });
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
