import { BASE_VARIABLE } from "../config/text.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { Observed, ObservedServer, ObservedServers } from "../plan/observed.ts";
import { parseEnv, parseServersState } from "./wire/reply.ts";
import { ask, isTimeout } from "./socket.ts";

/** With many thousands of servers the answer is megabytes. */
const STATE_TIMEOUT_MS = 5_000;
/** Each question is a connection of its own: beyond so many of them, all servers in one answer cost less. */
const MANY_BACKENDS = 50;

const LOST = new ControllerError("transient", "Cannot ask HAProxy: its runtime socket is lost");

/** The sockets by which a worker can be asked. */
export interface WorkerSockets {
  /** Undefined while it is known to be lost. */
  readonly runtimeSocket: string | undefined;
  readonly masterSocket: string;
}

/**
 * Asks the worker what it runs, by its own socket, else through its master. Never rejects: a worker whose socket is lost
 * is `silent`, one that takes connections and does not answer is `stuck`.
 */
export async function observe({ runtimeSocket, masterSocket }: WorkerSockets): Promise<Observed> {
  try {
    if (runtimeSocket === undefined) throw LOST;
    // One connection: both answers are of the same worker.
    const reply = await ask(runtimeSocket, `show env ${BASE_VARIABLE};show servers state`, STATE_TIMEOUT_MS);
    const servers = parseServersState(reply);
    if (servers === undefined) throw unexpected("show servers state", runtimeSocket);
    return { kind: "up", base: parseEnv(reply, BASE_VARIABLE), servers };
  } catch (error) {
    return await observeThroughMaster(masterSocket) ??
      { kind: isTimeout(error) ? "stuck" : "silent", reason: messageOf(error) };
  }
}

/** A socket file that was removed does not come back by itself, and the worker lives; undefined when it says nothing either. */
async function observeThroughMaster(masterSocket: string): Promise<Observed | undefined> {
  try {
    const base = parseEnv(await askThroughMaster(masterSocket, `show env ${BASE_VARIABLE}`), BASE_VARIABLE);
    const servers = parseServersState(await askThroughMaster(masterSocket, "show servers state"));
    return servers === undefined ? undefined : { kind: "up", base, servers };
  } catch {
    return undefined;
  }
}

/**
 * Asks the current worker by way of its master (management manual, 9.4 "Master CLI").
 *
 * @throws {ControllerError} (transient) when the master does not answer, or the worker does not
 */
export async function askThroughMaster(
  masterSocket: string,
  command: string,
  timeoutMs?: number,
): Promise<string> {
  const reply = await ask(masterSocket, `@1 ${command};quit`, timeoutMs);
  if (reply.trim() === "" || /^Can't (find the target|connect)/.test(reply)) {
    throw unexpected(command, masterSocket);
  }
  return reply;
}

function unexpected(command: string, socket: string): ControllerError {
  return new ControllerError("transient", `Cannot read "${command}" of ${socket}: unexpected answer`);
}

/**
 * What the worker runs in these backends.
 *
 * @throws {ControllerError} (transient) when it does not answer
 */
export async function observeBackends(
  sockets: WorkerSockets,
  backends: readonly string[],
): Promise<ObservedServers> {
  const servers = new Map<string, ReadonlyMap<string, ObservedServer>>();
  if (backends.length > MANY_BACKENDS) {
    const all = parseServersState(await askWorker(sockets, "show servers state", STATE_TIMEOUT_MS));
    return new Map(backends.flatMap((name) => {
      const seen = all?.get(name);
      return seen === undefined ? [] : [[name, seen] as const];
    }));
  }
  for (const backend of backends) {
    const reply = await askWorker(sockets, `show servers state ${backend}`, STATE_TIMEOUT_MS);
    parseServersState(reply)?.forEach((value, name) => servers.set(name, value));
  }
  return servers;
}

/** The base that the worker was started from; undefined when it does not answer or was started from another text. */
export async function runningBase(sockets: WorkerSockets): Promise<string | undefined> {
  try {
    return parseEnv(await askWorker(sockets, `show env ${BASE_VARIABLE}`), BASE_VARIABLE);
  } catch {
    return undefined;
  }
}

/**
 * Asks the current worker by its own socket, or by way of its master when that socket is lost.
 *
 * @throws {ControllerError} (transient) when it does not answer
 */
export async function askWorker(
  sockets: WorkerSockets,
  command: string,
  timeoutMs?: number,
): Promise<string> {
  try {
    if (sockets.runtimeSocket === undefined) throw LOST;
    return await ask(sockets.runtimeSocket, command, timeoutMs);
  } catch (error) {
    // The other way would wait for the same worker.
    if (isTimeout(error)) throw error;
    return await askThroughMaster(sockets.masterSocket, command, timeoutMs);
  }
}
