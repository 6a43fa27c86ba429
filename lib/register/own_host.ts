import { type Host, parseHost } from "../registry/address.ts";
import { backoffDelay } from "../util/backoff.ts";
import { messageOf } from "../util/errors.ts";
import { sleep } from "../util/time.ts";

const CONNECT_LIMIT_MS = 1_000;
const RETRY = { minMs: 100, maxMs: 2_000 };

/**
 * Finds the address at which others reach this process: that of the interface that reaches etcd. This is the container's
 * own address in a container, and loopback where etcd is on loopback. Tries until an endpoint can be connected to.
 *
 * @param onFailure called before each wait, with the attempts made so far
 * @returns undefined when the signal is aborted before
 */
export async function findOwnHost(
  { endpoints, onFailure, signal }: {
    readonly endpoints: readonly string[];
    readonly onFailure: (error: unknown, attempt: number) => void;
    readonly signal: AbortSignal;
  },
): Promise<Host | undefined> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await Promise.any(endpoints.map((endpoint) => localHostTo(endpoint)));
    } catch (error) {
      onFailure(error instanceof AggregateError ? error.errors[0] : error, attempt);
    }
    await sleep(backoffDelay({ ...RETRY, attempt, random: Math.random() }), signal);
  }
  return undefined;
}

/** The local end of a connection to an endpoint. */
async function localHostTo(endpoint: string): Promise<Host> {
  const url = new URL(endpoint);
  const { hostname } = url;
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const connecting = Deno.connect({ hostname, port, signal: AbortSignal.timeout(CONNECT_LIMIT_MS) });
  using connection = await connecting.catch((cause) => {
    throw new Error(`Cannot connect to ${hostname}:${port}: ${messageOf(cause)}`, { cause });
  });
  const parsed = parseHost(connection.localAddr.hostname);
  if (!parsed.ok) throw new Error(`Cannot use ${connection.localAddr.hostname}: ${parsed.reason}`);
  return parsed.value;
}
