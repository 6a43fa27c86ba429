import { BASE_VARIABLE } from "../config_text.ts";
import { messageOf } from "../errors.ts";
import type { Observed, ObservedServer, ObservedServers } from "../observed.ts";
import { parseEnv, parseServersState } from "./reply.ts";
import { ask } from "./socket.ts";

/** With many thousands of servers the answer is megabytes. */
const STATE_TIMEOUT_MS = 5_000;

/** Asks the worker behind the runtime socket what it runs. Never rejects: a worker that does not answer is `silent`. */
export async function observe(socketPath: string): Promise<Observed> {
  try {
    // One connection: both answers are of the same worker.
    const reply = await ask(socketPath, `show env ${BASE_VARIABLE};show servers state`, STATE_TIMEOUT_MS);
    const servers = parseServersState(reply);
    if (servers === undefined) {
      return { kind: "silent", reason: `unexpected answer to "show servers state" on ${socketPath}` };
    }
    return { kind: "up", base: parseEnv(reply, BASE_VARIABLE), servers };
  } catch (error) {
    return { kind: "silent", reason: messageOf(error) };
  }
}

/**
 * What the worker runs in these backends.
 *
 * @throws {ControllerError} (transient) when it does not answer
 */
export async function observeBackends(
  socketPath: string,
  backends: readonly string[],
): Promise<ObservedServers> {
  const servers = new Map<string, ReadonlyMap<string, ObservedServer>>();
  for (const backend of backends) {
    const reply = await ask(socketPath, `show servers state ${backend}`, STATE_TIMEOUT_MS);
    parseServersState(reply)?.forEach((value, name) => servers.set(name, value));
  }
  return servers;
}

/** The base that the worker was started from; undefined when it does not answer or was started from another text. */
export async function runningBase(socketPath: string): Promise<string | undefined> {
  try {
    return parseEnv(await ask(socketPath, `show env ${BASE_VARIABLE}`), BASE_VARIABLE);
  } catch {
    return undefined;
  }
}
