import { log } from "../lib/util/log.ts";
import { aborted, type CallBounds, within } from "../lib/util/time.ts";
import { openEtcd } from "../lib/etcd/open.ts";
import { keepRegistered } from "../lib/register/keep.ts";
import { logRegister } from "../lib/register/log.ts";
import type { BackendOptions } from "./options.ts";
import { serve } from "./server.ts";

/** `stop` asks the service to end; `hurry` ends every wait. */
export interface ServiceSignals {
  readonly stop: AbortSignal;
  readonly hurry: AbortSignal;
}

/**
 * Serves and stays registered until it is asked to stop: then nodes drain it, it ends, and its key is removed.
 *
 * @throws {ControllerError} if the port cannot be listened on, credentials cannot be read, or another lease owns its key
 */
export async function runService(options: BackendOptions, { stop, hurry }: ServiceSignals): Promise<void> {
  const { etcd, name, register } = options;
  const client = await openEtcd(etcd);
  const server = serve({ name, port: register.port });
  log().info("listening", { name, port: register.port });
  const kept = keepRegistered({ client, etcd, register, onEvent: logRegister });
  const taken = await Promise.race([aborted(stop), kept.taken]);
  if (taken === undefined) await kept.drain(hurry);
  await closeServer(server, { limitMs: register.stopTimeoutMs, signal: hurry });
  await kept.remove();
  client.close();
  if (taken !== undefined) throw taken;
}

async function closeServer(server: Deno.HttpServer, bounds: CallBounds): Promise<void> {
  try {
    await within(server.shutdown(), bounds);
    log().info("ended");
  } catch {
    log().warn("ended with requests in flight");
  }
}
