import { ask } from "../lib/haproxy/socket.ts";
import { pause } from "../tools/local/wait.ts";

const EVERY_MS = 1;
const DEADLINE_MS = 30_000;
const MAINT_OR_DRAIN = 0x09;

/** One server in `show servers state`. */
export interface SeenServer {
  readonly name: string;
  /** It gets requests. */
  readonly isUp: boolean;
}

/**
 * What to look for. Each look is a new connection, so that it reaches the current worker: an open connection would stay
 * with an old worker, and keep it alive. The cost is the same for each contestant.
 */
export interface Sighting {
  readonly socket: string;
  /** One backend, or all of them. */
  readonly backend?: string;
  readonly everyMs?: number;
  readonly signal: AbortSignal;
}

/** Looks until the servers are as wanted, and returns when that was seen, in milliseconds of `performance.now()`. */
export async function untilServers(
  what: string,
  sighting: Sighting,
  wanted: (servers: readonly SeenServer[]) => boolean,
): Promise<number> {
  const { everyMs = EVERY_MS, signal } = sighting;
  const deadline = performance.now() + DEADLINE_MS;
  while (performance.now() < deadline) {
    const servers = await look(sighting);
    if (servers !== undefined && wanted(servers)) return performance.now();
    await pause(everyMs, signal);
    signal.throwIfAborted();
  }
  throw new Error(`Cannot wait any longer for ${what}: not so after ${DEADLINE_MS} ms`);
}

/** Undefined while HAProxy does not answer, or does not know the backend. */
async function look({ socket, backend }: Sighting): Promise<SeenServer[] | undefined> {
  try {
    const reply = await ask(
      socket,
      ["show servers state", ...(backend === undefined ? [] : [backend])].join(" "),
    );
    const rows = reply.split("\n").map((line) => line.split(" ")).filter((row) =>
      row.length > 18 && row[0] !== "#"
    );
    return reply.includes("# be_id") ? rows.map(seenServer) : undefined;
  } catch {
    // The worker is being replaced.
    return undefined;
  }
}

function seenServer(row: readonly string[]): SeenServer {
  const isUp = Number(row[5]) > 0 && (Number(row[6]) & MAINT_OR_DRAIN) === 0 && Number(row[7]) > 0;
  return { name: row[3] ?? "", isUp };
}

/** Whether a server of this name gets requests. */
export function hasUp(servers: readonly SeenServer[], name: string): boolean {
  return servers.some((server) => server.isUp && server.name === name);
}
