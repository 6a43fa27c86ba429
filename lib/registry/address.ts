import ipaddr from "ipaddr.js";

/** Where a server is reached: an IP address in its canonical form, or a name that HAProxy resolves. */
export type Host =
  | { readonly kind: "ipv4"; readonly text: string }
  | { readonly kind: "ipv6"; readonly text: string }
  | { readonly kind: "name"; readonly text: string };

/** A host and a port. */
export interface Address {
  readonly host: Host;
  readonly port: number;
}

/** The value of a text, or why it cannot be read. */
export type Parsed<T> = Good<T> | Bad;
type Good<T> = { readonly ok: true; readonly value: T };
type Bad = { readonly ok: false; readonly reason: string };

/** A result of reading. */
export const good = <T>(value: T): Good<T> => ({ ok: true, value });
/** A reason why something cannot be read. */
export const bad = (reason: string): Bad => ({ ok: false, reason });

/** Reads `host:port`, with an IPv6 address in brackets. */
export function parseAddress(text: string): Parsed<Address> {
  const match = /^(\[[^\]]*\]|[^:[\]]*):([^:]*)$/.exec(text);
  if (match === null) return bad("address is not host:port (an IPv6 address needs brackets)");
  const host = parseHost(match[1] ?? "");
  if (!host.ok) return host;
  const port = parsePort(match[2] ?? "");
  if (!port.ok) return port;
  return good({ host: host.value, port: port.value });
}

/** Reads a host without a port. An IPv6 address may have brackets. */
export function parseHost(text: string): Parsed<Host> {
  const bracketed = /^\[(.*)\]$/.exec(text);
  const inner = bracketed?.[1] ?? text;
  if (inner.includes(":")) return parseIpv6(inner);
  if (bracketed !== null) return bad("only an IPv6 address can have brackets");
  if (looksNumeric(inner)) return parseIpv4(inner);
  if (!isHostName(inner)) {
    return bad("host is neither an IPv4 address, an IPv6 address in brackets nor a DNS name");
  }
  return good({ kind: "name", text: inner });
}

function parsePort(text: string): Parsed<number> {
  if (!/^[1-9][0-9]{0,4}$/.test(text) || Number(text) > 65_535) {
    return bad("port is not a number from 1 to 65535");
  }
  return good(Number(text));
}

/** Resolvers read `127.1`, `0x7f000001` and `1.2.3.4` as numbers, so such a text can only mean an IPv4 address. */
function looksNumeric(text: string): boolean {
  return /(^|\.)(0x[0-9a-f]*|[0-9]+)\.?$/i.test(text);
}

function parseIpv4(text: string): Parsed<Host> {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) {
    return bad("IPv4 address does not have four decimal parts from 0 to 255");
  }
  return checked({ kind: "ipv4", text });
}

function parseIpv6(text: string): Parsed<Host> {
  const canonical = /^[0-9a-f:.]+$/i.test(text) ? canonicalIpv6(text) : undefined;
  return canonical === undefined
    ? bad("IPv6 address cannot be read")
    : checked({ kind: "ipv6", text: canonical });
}

/** As a URL spells it; ipaddr.js takes `::10.0.0.5` for another address. */
function canonicalIpv6(text: string): string | undefined {
  const url = `http://[${text}]/`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : undefined;
}

function checked(host: Host): Parsed<Host> {
  const range = ipaddr.process(host.text).range();
  if (range === "unspecified") return bad("address is the unspecified address, which no server can have");
  if (range === "multicast" || range === "broadcast") return bad(`address is a ${range} address`);
  return good(host);
}

function isHostName(text: string): boolean {
  // HAProxy looks up a name that starts with `_` as SRV, and would take the port from there.
  if (text.length > 253 || text.startsWith("_")) return false;
  return text.split(".").every((label) => /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/.test(label));
}

/** One spelling for each IP address, to compare what HAProxy prints with what a service wrote. */
export function canonicalIp(text: string): string {
  return text.includes(":") ? canonicalIpv6(text) ?? text : text;
}

/** The address as HAProxy's configuration takes it. */
export function formatAddress({ host, port }: Address): string {
  return host.kind === "ipv6" ? `[${host.text}]:${port}` : `${host.text}:${port}`;
}
