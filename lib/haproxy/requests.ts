import { parseUsedConnections } from "./wire/reply.ts";
import { askWorker, type WorkerSockets } from "./runtime.ts";
import { ask } from "./socket.ts";

/**
 * The servers of some backends that have requests in the current worker, as `<backend>/<server>`.
 *
 * @throws {ControllerError} (transient) when it does not answer
 */
export async function usedServers(sockets: WorkerSockets, backends: readonly string[]): Promise<string[]> {
  const replies: string[] = [];
  for (const backend of backends) replies.push(await askWorker(sockets, `show servers conn ${backend}`));
  return replies.flatMap(usedIn);
}

/**
 * The servers that have requests in a retired worker. Such a worker answers only through the master (management manual,
 * 9.4 "Master CLI").
 *
 * @throws {ControllerError} (transient) when the master does not answer
 */
export async function usedByOldWorker(masterSocket: string, pid: number): Promise<string[]> {
  return usedIn(await ask(masterSocket, `@!${pid} show servers conn;quit`));
}

function usedIn(reply: string): string[] {
  return [...parseUsedConnections(reply)].filter(([, count]) => count > 0).map(([server]) => server);
}
