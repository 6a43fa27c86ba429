import { createHash } from "node:crypto";
import { canonicalIp, formatAddress } from "../registry/address.ts";
import { configWords } from "./line.ts";
import type { ServerLine, ServerLines } from "./text.ts";
import { effectiveWeight, type Server } from "../registry/entry.ts";
import { memoByObject } from "../util/memo.ts";

/**
 * The words behind the name in a server's line. Every parameter is written out, because `add server` does not apply
 * `default-server` (management manual, "add server").
 */
export const serverParams = memoByObject((server: Server): string => {
  const words = [
    formatAddress(server.address),
    `weight ${effectiveWeight(server)}`,
    ...checkParams(server),
    ...(server.maxconn > 0 ? [`maxconn ${server.maxconn}`] : []),
    ...tlsParams(server),
    ...(server.proto === "h2" ? ["proto h2"] : []),
    ...(server.backup ? ["backup"] : []),
    // HAProxy 2.6 lets a server that is added at run time keep no idle connection, and for no time, unless both are said.
    "pool-purge-delay 5s pool-max-conn -1",
    // Without it a name that does not resolve refuses the whole file.
    ...(server.address.host.kind === "name" ? ["init-addr none resolvers etcd-haproxy"] : []),
    ...(server.state === "maint" ? ["disabled"] : []),
  ];
  return words.join(" ");
});

function checkParams({ check }: Server): string[] {
  if (check.kind === "off") return [];
  const port = check.port === undefined ? [] : [`port ${check.port}`];
  // A server that refuses three connections in a row is out at once, not when a check fails. Else a node that does not
  // hear of leaving servers would try one after the other, until a request has no tries left.
  const errors = "observe layer4 error-limit 3 on-error mark-down";
  return ["check", ...port, "inter 2s fastinter 500ms downinter 1s rise 2 fall 3", errors];
}

function tlsParams({ tls, proto }: Server): string[] {
  if (tls.kind === "off") return [];
  const verify = tls.verify === "none" ? ["verify none"] : ["verify required ca-file @system-ca"];
  const name = tls.name === undefined ? [] : [`sni str(${tls.name}) check-sni ${tls.name}`];
  const verifyHost = tls.name === undefined || tls.verify === "none" ? [] : [`verifyhost ${tls.name}`];
  return ["ssl", ...verify, ...name, ...verifyHost, ...(proto === "h2" ? ["alpn h2"] : [])];
}

/** The fields that a server's line and a running server have in common. */
export interface ComparableServer {
  /** Undefined where the line has a form that a running server does not show: a socket, a variable. */
  readonly address: ComparableAddress | undefined;
  readonly weight: number;
  readonly maint: boolean;
  readonly id: number | undefined;
  readonly isChecked: boolean;
}

/** An address as a running server shows it: of a name only the name and the port are compared. */
export interface ComparableAddress {
  readonly kind: "ip" | "name";
  readonly host: string;
  readonly port: number;
}

/** Reads the comparable fields from a server's line. */
export const comparable = memoByObject((line: ServerLine): ComparableServer => {
  const { address, options } = readParams(line.params);
  return {
    address: comparableAddress(address),
    weight: numberOf(options.get("weight")) ?? 1,
    maint: options.has("disabled"),
    id: numberOf(options.get("id")),
    isChecked: options.has("check"),
  };
});

/** The keywords of a line's parameters, each with its argument if it takes one. */
export function paramKeywords(params: string): ReadonlyMap<string, string | undefined> {
  return readParams(params).options;
}

/** Keywords of a `server` line that take no argument (configuration manual, 5.2); all others take one. */
const WITHOUT_ARGUMENT = new RegExp(
  "^(allow-0rtt|backup|check|check-send-proxy|check-ssl|check-via-socks4|disabled|enabled|agent-check|non-stick|stick|ssl|" +
    "ssl-reuse|tfo|tls-tickets|strict-maxconn|send-proxy.*|force-.*|no-.*)$",
);

/** A name or a path may be spelled like a keyword, so words are read in their order. */
function readParams(params: string): { address: string; options: Map<string, string | undefined> } {
  const [address = "", ...words] = configWords(params);
  const options = new Map<string, string | undefined>();
  for (let at = 0; at < words.length; at++) {
    const keyword = words[at] ?? "";
    options.set(keyword, WITHOUT_ARGUMENT.test(keyword) ? undefined : words[++at]);
  }
  return { address, options };
}

function comparableAddress(word: string): ComparableAddress | undefined {
  const match = /^(?:(\d+\.\d+\.\d+\.\d+)|\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d+)$/.exec(word);
  if (match === null) return undefined;
  const [, ipv4, ipv6, name = "", port] = match;
  const ip = ipv4 ?? ipv6;
  if (ip === undefined) return { kind: "name", host: name.toLowerCase(), port: Number(port) };
  return { kind: "ip", host: canonicalIp(ip), port: Number(port) };
}

function numberOf(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
}

/**
 * Gives every line without `id` one that is derived from the server's name and from those of its parameters that a
 * running server does not show (checks, maxconn, TLS ...). `show servers state` prints the id, so a worker can be asked
 * whether it runs the parameters of the file. Besides, hashing algorithms place a server by its id: derived from names,
 * every node places it alike.
 */
export function withServerIds(servers: ServerLines): ServerLines {
  return new Map([...servers].map(([backend, lines]) => [backend, withIds(lines)]));
}

function withIds(lines: readonly ServerLine[]): ServerLine[] {
  const numbered = lines.map(withDerivedId);
  // Nearly always no two ids are equal, and the order of names does not matter.
  if (new Set(numbered.map((line) => comparable(line).id)).size === lines.length) return numbered;
  const taken = new Set(lines.flatMap((line) => comparable(line).id ?? []));
  // By name, so that a collision is settled alike whatever the order of the lines.
  const own = lines.filter((line) => comparable(line).id === undefined).sort((a, b) =>
    a.name < b.name ? -1 : 1
  );
  const ids = new Map(own.map((line) => [line, claimId(derivedId(line), taken)]));
  return lines.map((line) => withId(line, ids.get(line)));
}

const withDerivedId = memoByObject((line: ServerLine): ServerLine =>
  comparable(line).id === undefined ? withId(line, derivedId(line)) : line
);

function withId(line: ServerLine, id: number | undefined): ServerLine {
  return id === undefined ? line : { name: line.name, params: `${line.params} id ${id}` };
}

function claimId(wanted: number, taken: Set<number>): number {
  let id = wanted;
  while (taken.has(id)) id = id % MAX_ID + 1;
  taken.add(id);
  return id;
}

/** Server ids are positive 32-bit integers (configuration manual, 5.2 "id"). */
const MAX_ID = 2 ** 31 - 1;

function derivedId(line: ServerLine): number {
  const digest = createHash("sha256").update(`${line.name} ${hiddenParams(line.params)}`).digest();
  return digest.readUInt32BE(0) % MAX_ID + 1;
}

/** The parameters without address, weight and `disabled`, which a running server shows. */
function hiddenParams(params: string): string {
  const { options } = readParams(params);
  const hidden = [...options].filter(([keyword]) => keyword !== "weight" && keyword !== "disabled");
  return hidden.map(([keyword, value]) => value === undefined ? keyword : `${keyword} ${value}`).join(" ");
}
