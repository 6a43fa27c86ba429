// Ports that the kernel hands to outgoing connections can be taken between the moment a port is found free and the
// moment its server binds it. So ports are picked outside that range, from a random start, and never twice.
//
// Test files run beside each other: each takes a share of the range for itself, so that none picks a port which another
// has found free and not bound yet.

/** Below it is 10080, which fetch() blocks. */
const LOWEST = 10_100;
const HIGHEST = 65_535;
const ENOUGH = 1_000;
const SHARES = 24;

interface PortRange {
  readonly from: number;
  readonly to: number;
}

const handedOut = new Set<number>();
/** Claimed before any test begins, which would be blamed for the lock that stays open. */
const range = claimShare(pickableRange());

/**
 * Picks a TCP port that is free on 127.0.0.1. The same process never gets a port twice.
 *
 * @throws {Error} when no port of the range is free.
 */
export function pickPort(): number {
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

/** A share of the range that no other process has; the whole range if all are taken. */
function claimShare({ from, to }: PortRange): PortRange {
  const size = Math.floor((to - from + 1) / SHARES);
  for (let share = 0; share < SHARES; share++) {
    if (claim(share)) return { from: from + share * size, to: from + (share + 1) * size - 1 };
  }
  return { from, to };
}

/** The lock is held for as long as this process, or this worker, lives. */
function claim(share: number): boolean {
  const path = `${lockDir()}/share-${share}`;
  const file = Deno.openSync(path, { create: true, write: true, mode: 0o600 });
  if (file.tryLockSync(true)) return true;
  file.close();
  return false;
}

/** One for each user, because users may not open each other's files. */
function lockDir(): string {
  const path = `/tmp/etcd-haproxy-ports-${Deno.uid() ?? 0}`;
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

function pickableRange(): PortRange {
  const ephemeral = ephemeralRange();
  if (ephemeral.from - LOWEST >= ENOUGH) return { from: LOWEST, to: ephemeral.from - 1 };
  if (HIGHEST - ephemeral.to >= ENOUGH) return { from: ephemeral.to + 1, to: HIGHEST };
  return { from: LOWEST, to: HIGHEST };
}

function ephemeralRange(): PortRange {
  try {
    const text = Deno.readTextFileSync("/proc/sys/net/ipv4/ip_local_port_range");
    const [from, to] = text.trim().split(/\s+/).map(Number);
    if (from && to) return { from, to };
  } catch {
    // Not Linux: the range that IANA recommends.
  }
  return { from: 49_152, to: HIGHEST };
}
