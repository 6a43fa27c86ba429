// Ports that the kernel hands to outgoing connections can be taken between the moment a port is found free and the
// moment its server binds it. So ports are picked outside that range, from a random start, and never twice.

const LOWEST = 20_000;
const HIGHEST = 65_535;
const ENOUGH = 1_000;

const handedOut = new Set<number>();

/**
 * Picks a TCP port that is free on 127.0.0.1. The same process never gets a port twice.
 *
 * @throws {Error} when no port of the range is free.
 */
export function pickPort(): number {
  const range = pickableRange();
  const size = range.to - range.from + 1;
  const start = Math.floor(Math.random() * size);
  for (let step = 0; step < size; step++) {
    const port = range.from + (start + step) % size;
    if (handedOut.has(port) || !isPortFree(port)) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`Cannot pick a port: none of ${range.from} to ${range.to} is free on 127.0.0.1`);
}

/** Picks `count` different free ports, as `pickPort()` does. */
export function pickPorts(count: number): number[] {
  return Array.from({ length: count }, () => pickPort());
}

/** Whether a server could bind this TCP port on `hostname` now. Any error but "in use" is thrown on. */
export function isPortFree(port: number, hostname = "127.0.0.1"): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

function pickableRange(): { from: number; to: number } {
  const ephemeral = ephemeralRange();
  if (ephemeral.from - LOWEST >= ENOUGH) return { from: LOWEST, to: ephemeral.from - 1 };
  if (HIGHEST - ephemeral.to >= ENOUGH) return { from: ephemeral.to + 1, to: HIGHEST };
  return { from: LOWEST, to: HIGHEST };
}

function ephemeralRange(): { from: number; to: number } {
  try {
    const text = Deno.readTextFileSync("/proc/sys/net/ipv4/ip_local_port_range");
    const [from, to] = text.trim().split(/\s+/).map(Number);
    if (from && to) return { from, to };
  } catch {
    // Not Linux: the range that IANA recommends.
  }
  return { from: 49_152, to: HIGHEST };
}
