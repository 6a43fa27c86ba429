import { createHash } from "node:crypto";
import { canonicalIp, formatAddress } from "./address.ts";
import { configWords } from "./config_line.ts";
import type { ServerLine, ServerLines } from "./config_text.ts";
import type { Server } from "./entry.ts";

/**
 * What stands behind the name in a server's line. Every parameter is written out, for `add server` does not apply
 * `default-server` (management manual, "add server").
 */
export function serverParams(server: Server): string {
  const words = [
    formatAddress(server.address),
    `weight ${server.state === "drain" ? 0 : server.weight}`,
    ...checkParams(server),
    ...(server.maxconn > 0 ? [`maxconn ${server.maxconn}`] : []),
    ...tlsParams(server),
    ...(server.proto === "h2" ? ["proto h2"] : []),
    ...(server.backup ? ["backup"] : []),
    // HAProxy 2.6 gives a server added at run time a delay of 0, which closes every idle connection.
    "pool-purge-delay 5s",
    // Without it a name that does not resolve refuses the whole file.
    ...(server.address.host.kind === "name" ? ["init-addr none resolvers etcd-haproxy"] : []),
    ...(server.state === "maint" ? ["disabled"] : []),
  ];
  return words.join(" ");
}

function checkParams({ check }: Server): string[] {
  if (check.kind === "off") return [];
  const port = check.port === undefined ? [] : [`port ${check.port}`];
  return ["check", ...port, "inter 2s fastinter 500ms downinter 1s rise 2 fall 3"];
}

function tlsParams({ tls, proto }: Server): string[] {
  if (tls.kind === "off") return [];
  const verify = tls.verify === "none" ? ["verify none"] : ["verify required ca-file @system-ca"];
  const name = tls.name === undefined ? [] : [`sni str(${tls.name}) check-sni ${tls.name}`];
  const verifyHost = tls.name === undefined || tls.verify === "none" ? [] : [`verifyhost ${tls.name}`];
  return ["ssl", ...verify, ...name, ...verifyHost, ...(proto === "h2" ? ["alpn h2"] : [])];
}

/** What can be compared between a server's line and a running server. */
export interface ComparableServer {
  /** Undefined where the line has a form that a running server does not show: a name, a socket, a variable. */
  readonly address: { readonly ip: string; readonly port: number } | undefined;
  readonly weight: number;
  readonly maint: boolean;
  readonly id: number | undefined;
}

/** Reads the comparable fields from a server's line. */
export function comparable(line: ServerLine): ComparableServer {
  const words = configWords(line.params);
  return {
    address: comparableAddress(words[0] ?? ""),
    weight: numberAfter(words, "weight") ?? 1,
    maint: words.includes("disabled"),
    id: numberAfter(words, "id"),
  };
}

function comparableAddress(word: string): { ip: string; port: number } | undefined {
  const match = /^(?:(\d+\.\d+\.\d+\.\d+)|\[([0-9A-Fa-f:.]+)\]):(\d+)$/.exec(word);
  if (match === null) return undefined;
  return { ip: canonicalIp(match[1] ?? match[2] ?? ""), port: Number(match[3]) };
}

function numberAfter(words: readonly string[], keyword: string): number | undefined {
  const at = words.indexOf(keyword, 1);
  const value = at < 0 ? undefined : words[at + 1];
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
  const taken = new Set<number>();
  const isOwn = lines.map((line) => comparableId(line) === undefined);
  lines.forEach((line) => taken.add(comparableId(line) ?? 0));
  const ids = new Map<ServerLine, number>();
  // In order of names, so that a collision is settled alike whatever the order of the lines.
  const ordered = lines.filter((_, index) => isOwn[index]).sort((a, b) => a.name < b.name ? -1 : 1);
  for (const line of ordered) ids.set(line, claimId(derivedId(line), taken));
  return lines.map((line) =>
    ids.has(line) ? { ...line, params: `${line.params} id ${ids.get(line)}` } : line
  );
}

function comparableId(line: ServerLine): number | undefined {
  return numberAfter(configWords(line.params), "id");
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
  return params.replace(/^\S+/, "").replace(/\s(weight \d+|disabled)(?=\s|$)/g, "").trim();
}
