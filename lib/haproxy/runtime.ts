import { BASE_VARIABLE } from "../config/text.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { Observed, ObservedServer, ObservedServers } from "../plan/observed.ts";
import { parseEnv, parseServersState } from "./wire/reply.ts";
import { ask, isTimeout } from "./socket.ts";

/** With many thousands of servers the answer has megabytes. */
const STATE_TIMEOUT_MS = 5_000;
/** Each question is one connection. For more backends than this, one answer with all servers costs less. */
const MANY_BACKENDS = 50;

const LOST = new ControllerError("transient", "Cannot ask HAProxy: its runtime socket is lost");

/** The sockets by which a worker can be asked. */
export interface WorkerSockets {
  /** Undefined while it is lost. */
  readonly runtimeSocket: string | undefined;
  readonly masterSocket: string;
}

/**
 * Asks the worker what it runs. Never rejects: a worker that cannot be reached is `silent`, one that accepts connections
 * and does not answer is `stuck`.
 */
export async function observe(sockets: WorkerSockets): Promise<Observed> {
  try {
    // One connection: both answers come from the same worker.
    const reply = await askWorker(sockets, `show env ${BASE_VARIABLE};show servers state`, STATE_TIMEOUT_MS);
    const servers = parseServersState(reply);
    if (servers !== undefined) return { kind: "up", base: parseEnv(reply, BASE_VARIABLE), servers };
    throw unexpected("show servers state", sockets.masterSocket);
  } catch (error) {
    return { kind: isTimeout(error) ? "stuck" : "silent", reason: messageOf(error) };
  }
}

/**
 * Asks the current worker through its master (management manual, 9.4 "Master CLI"). Several commands have `;` between
 * them.
 *
 * @throws {ControllerError} (transient) when the master or the worker does not answer
 */
export async function askThroughMaster(
  masterSocket: string,
  command: string,
  timeoutMs?: number,
): Promise<string> {
  const commands = command.split(";").map((one) => `@1 ${one}`).join(";");
  const reply = await ask(masterSocket, `${commands};quit`, timeoutMs);
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
  const wanted = new Set(backends);
  const questions = backends.length > MANY_BACKENDS
    ? ["show servers state"]
    : backends.map((name) => `show servers state ${name}`);
  const servers = new Map<string, ReadonlyMap<string, ObservedServer>>();
  for (const question of questions) {
    const seen = parseServersState(await askWorker(sockets, question, STATE_TIMEOUT_MS));
    seen?.forEach((value, name) => wanted.has(name) && servers.set(name, value));
  }
  return servers;
}

/** The base that the worker was started from; undefined when it does not answer or was started from another text. */
export function runningBase(sockets: WorkerSockets): Promise<string | undefined> {
  const asked = askWorker(sockets, `show env ${BASE_VARIABLE}`);
  return asked.then((reply) => parseEnv(reply, BASE_VARIABLE), () => undefined);
}

/**
 * Asks the current worker on its own socket, or through its master when that socket is lost.
 *
 * @throws {ControllerError} (transient) when it does not answer
 */
export async function askWorker(
  { runtimeSocket, masterSocket }: WorkerSockets,
  command: string,
  timeoutMs?: number,
): Promise<string> {
  try {
    if (runtimeSocket === undefined) throw LOST;
    return await ask(runtimeSocket, command, timeoutMs);
  } catch (error) {
    // The master would wait for the same worker.
    if (isTimeout(error)) throw error;
    return await askThroughMaster(masterSocket, command, timeoutMs).catch(() => {
      throw error;
    });
  }
}
