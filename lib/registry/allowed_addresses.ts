import ipaddr from "ipaddr.js";
import { type Address, bad, canonicalIp, good, type Host, type Parsed } from "./address.ts";
import type { Server } from "./entry.ts";

type Ip = ipaddr.IPv4 | ipaddr.IPv6;

/** A block of addresses: all that share their first `prefixLength` bits with one. */
export interface Network {
  readonly ip: string;
  readonly prefixLength: number;
}

/** One of the node's own listening addresses. */
export interface Listener {
  /** The flag that sets it, as reasons name it. */
  readonly flag: string;
  /** Undefined: on every address of the node. */
  readonly ip: string | undefined;
  readonly port: number;
}

/** The addresses that may be registered. */
export interface Networks {
  /** Undefined: all but link-local. */
  readonly allowed: readonly Network[] | undefined;
  readonly listeners: readonly Listener[];
  /** The addresses of the node's interfaces. */
  readonly ownIps: readonly string[];
}

/** The policy by default: all but link-local. */
export const ANY_NETWORK: Networks = { allowed: undefined, listeners: [], ownIps: [] };

// No backend is there, but a cloud's metadata service is, which hands out credentials.
const LINK_LOCAL: readonly Network[] = [
  { ip: "169.254.0.0", prefixLength: 16 },
  { ip: "fe80::", prefixLength: 10 },
];

/** Reads `CIDR,...`; an address alone is a network of one. */
export function parseNetworks(text: string): Parsed<readonly Network[]> {
  const networks: Network[] = [];
  for (const part of text.split(",").map((part) => part.trim()).filter((part) => part !== "")) {
    const network = parseNetwork(part);
    if (network === undefined) return bad(`holds no network such as 10.0.0.0/8: ${part}`);
    networks.push(network);
  }
  return networks.length === 0 ? bad("names no network") : good(networks);
}

function parseNetwork(text: string): Network | undefined {
  const [, base = "", bits] = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const isIpv4 = ipaddr.IPv4.isValidFourPartDecimal(base);
  if (!isIpv4 && !ipaddr.IPv6.isValid(canonicalIp(base))) return undefined;
  const size = isIpv4 ? 32 : 128;
  const prefixLength = bits === undefined ? size : Number(bits);
  if (prefixLength > size) return undefined;
  const ip = plain(base);
  const isMapped = !isIpv4 && ip.kind() === "ipv4" && prefixLength >= 96;
  return isMapped
    ? { ip: ip.toString(), prefixLength: prefixLength - 96 }
    : { ip: canonicalIp(base), prefixLength };
}

/** Why a server must not be where it is, or be checked there; undefined when it may. */
export function objectionToServer({ address, check }: Server, networks: Networks): string | undefined {
  return objectionTo(address, check.kind === "on" ? check.port : undefined, networks);
}

/** Why a server must not be at this address, or be checked at this port of it; undefined when it may. */
export function objectionTo(
  { host, port }: Address,
  checkPort: number | undefined,
  networks: Networks,
): string | undefined {
  for (const target of checkPort === undefined ? [port] : [port, checkPort]) {
    const own = networks.listeners.find((own) => isAt(own, { host, port: target }, networks.ownIps));
    if (own !== undefined) return `${host.text} port ${target} is this node's own listener (${own.flag})`;
  }
  return networkObjection(host, networks);
}

function networkObjection(host: Host, { allowed }: Networks): string | undefined {
  if (host.kind === "name") {
    if (allowed === undefined) return undefined;
    return "host is a name, and only addresses can be compared with --server-networks";
  }
  const ip = plain(host.text);
  const isIn = (networks: readonly Network[]) => networks.some((network) => holds(network, ip));
  if (allowed !== undefined) {
    return isIn(allowed) ? undefined : `address ${host.text} is outside of --server-networks`;
  }
  return isIn(LINK_LOCAL)
    ? `address ${host.text} is link-local, which only --server-networks can allow`
    : undefined;
}

function isAt(listener: Listener, { host, port }: Address, ownIps: readonly string[]): boolean {
  if (port !== listener.port) return false;
  if (host.kind === "name") {
    return isLocalhost(host.text) && (listener.ip === undefined || isLoopback(plain(listener.ip)));
  }
  const ip = plain(host.text);
  if (listener.ip !== undefined) return isSame(plain(listener.ip), ip);
  return isLoopback(ip) || ownIps.some((own) => isSame(plain(own), ip));
}

/** An IPv4 address that is written as IPv6 is the IPv4 address: a connection to either is the same. */
function plain(text: string): Ip {
  return ipaddr.process(canonicalIp(text));
}

function holds({ ip, prefixLength }: Network, address: Ip): boolean {
  const first = ipaddr.parse(ip);
  // Comparing addresses of different kinds throws.
  return first.kind() === address.kind() && address.match(first, prefixLength);
}

function isSame(a: Ip, b: Ip): boolean {
  return a.toString() === b.toString();
}

function isLoopback(ip: Ip): boolean {
  return ip.range() === "loopback";
}

/** HAProxy asks DNS for this name, and may get any address. It is meant to be the node itself. */
function isLocalhost(name: string): boolean {
  return /(^|\.)localhost$/i.test(name);
}
