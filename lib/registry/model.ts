import { bad, type Parsed } from "./address.ts";
import {
  type Known,
  type Override,
  parseEntry,
  parseOverride,
  type Rejection,
  type Server,
} from "./entry.ts";
import { memoByObject, memoByText } from "../util/memo.ts";
import { ANY_NETWORK, type Networks, objectionToServer } from "./allowed_addresses.ts";
import type { RawEntry, Snapshot } from "./snapshot.ts";

/** A service and its servers, sorted by id. Never without a server. */
export interface Service {
  readonly name: string;
  readonly servers: readonly Server[];
}

/** What etcd asks for, at one revision. Equal snapshots give equal models, whatever the order of their entries. */
export interface Model {
  readonly revision: bigint;
  readonly services: readonly Service[];
  readonly rejections: readonly Rejection[];
  /** Servers, as `<service>/<id>`, whose entry asks for no new request and is overridden to get some. */
  readonly overruled: readonly string[];
  /** Fields in entries and overrides that this version does not know. */
  readonly unknownFields: number;
}

/** The prefixes below which the registry lives; each ends in `/`. */
export interface Prefixes {
  readonly services: string;
  /** Of server overrides: the settings prefix with `servers/` behind it. */
  readonly overrides: string;
}

/** An entry that HAProxy itself refused, valid for one revision of the entry. */
export interface Refusal {
  readonly revision: bigint;
  readonly reason: string;
}

/** Refusals by `<service>/<id>`. */
export type Refusals = ReadonlyMap<string, Refusal>;

/** All that a model depends on besides the registry. */
export interface ModelRules {
  readonly refusals?: Refusals;
  /** Default: all but link-local. */
  readonly networks?: Networks;
}

/** The model of an empty registry. */
export const EMPTY_MODEL: Model = {
  revision: 0n,
  services: [],
  rejections: [],
  overruled: [],
  unknownFields: 0,
};

// Entries are immutable, so the result is right as long as the entry exists. Parsing 10,000 entries and comparing their
// addresses in each pass would take longer than the rest of it.
const entryReader = memoByText(
  (prefix) =>
    memoByObject((networks: Networks) =>
      memoByObject((raw: RawEntry): Parsed<Known<Server>> => {
        const result = parseEntry(raw, prefix);
        const reason = result.ok ? objectionToServer(result.value.value, networks) : undefined;
        return reason === undefined ? result : bad(reason);
      })
    ),
  8,
);
const overrideReader = memoByText((prefix) => memoByObject((raw: RawEntry) => parseOverride(raw, prefix)), 8);

/**
 * Builds the model of a snapshot. Overrides win over entries; refusals, and addresses that may not be registered, turn
 * an entry into a rejection.
 */
export function buildModel(
  snapshot: Snapshot,
  prefixes: Prefixes,
  { refusals = new Map(), networks = ANY_NETWORK }: ModelRules = {},
): Model {
  const overrides = readAll(snapshot, prefixes.overrides, overrideReader(prefixes.overrides));
  const entries = readAll(snapshot, prefixes.services, entryReader(prefixes.services)(networks));
  const byServer = new Map(overrides.values.map((override) => [serverKey(override), override]));
  const servers = overridden(entries.values, byServer);
  const refused = refusals.size === 0 ? [] : servers.filter((server) => refusalOf(server, refusals));
  const refusedServers = new Set(refused);
  return {
    revision: snapshot.revision,
    services: groupByService(servers.filter((server) => !refusedServers.has(server))),
    rejections: [
      ...entries.rejections,
      ...overrides.rejections,
      ...refused.map((server) => refusedEntry(server, prefixes.services, refusals)),
    ].sort((a, b) => compareBytes(a.key, b.key)),
    overruled: overruled(entries.values, byServer),
    unknownFields: entries.unknownFields + overrides.unknownFields,
  };
}

/** The name of a server among all services. */
export function serverKey(server: { readonly service: string; readonly id: string }): string {
  return `${server.service}/${server.id}`;
}

/** How many servers a model holds. */
export function countServers(model: Model): number {
  return model.services.reduce((sum, service) => sum + service.servers.length, 0);
}

/** A server of a model; undefined when the model has none of this name. Services are indexed when they are asked for. */
export function findServer({ services }: Model, service: string, id: string): Server | undefined {
  const found = services.find(({ name }) => name === service);
  return found && serversById(found).get(id);
}

const serversById = memoByObject(({ servers }: Service) =>
  new Map(servers.map((server) => [server.id, server]))
);

/** Byte order of ASCII and latin1 text, independent of any locale. */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Reads all entries below a prefix. */
function readAll<T>({ entries }: Snapshot, prefix: string, read: (raw: RawEntry) => Parsed<Known<T>>) {
  const values: T[] = [];
  const rejections: Rejection[] = [];
  let unknownFields = 0;
  for (const raw of entries) {
    if (!raw.key.startsWith(prefix)) continue;
    const result = read(raw);
    if (result.ok) {
      values.push(result.value.value);
      unknownFields += result.value.unknownFields;
    } else rejections.push({ key: raw.key, reason: result.reason, revision: raw.modRevision });
  }
  return { values, rejections, unknownFields };
}

function overridden(servers: readonly Server[], overrides: ReadonlyMap<string, Override>): readonly Server[] {
  if (overrides.size === 0) return servers;
  return servers.map((server) => {
    const override = overrides.get(serverKey(server));
    if (override === undefined) return server;
    const { state = server.state, weight = server.weight } = override;
    const revision = override.revision > server.revision ? override.revision : server.revision;
    return { ...server, state, weight, revision };
  });
}

function overruled(servers: readonly Server[], overrides: ReadonlyMap<string, Override>): string[] {
  if (overrides.size === 0) return [];
  return servers.filter(({ state }) => state !== "ready").map(serverKey)
    .filter((key) => overrides.get(key)?.state === "ready");
}

/** Why HAProxy refused a server as it is now; undefined when it did not. */
export function refusalOf(server: Server, refusals: Refusals): string | undefined {
  const refusal = refusals.get(serverKey(server));
  return refusal?.revision === server.revision ? refusal.reason : undefined;
}

function refusedEntry(server: Server, prefix: string, refusals: Refusals): Rejection {
  const reason = refusalOf(server, refusals) ?? "refused";
  return { key: `${prefix}${serverKey(server)}`, reason, revision: server.revision };
}

/** The services of servers, each sorted. */
export function groupByService(servers: readonly Server[]): Service[] {
  return [...Map.groupBy(servers, ({ service }) => service)]
    .map(([name, group]) => ({ name, servers: sortById(group) }))
    .sort((a, b) => compareBytes(a.name, b.name));
}

/** Entries mostly come in the order of their keys. */
function sortById(servers: Server[]): Server[] {
  const isSorted = servers.every((server, at) =>
    at === 0 || compareBytes(servers[at - 1]?.id ?? "", server.id) < 0
  );
  return isSorted ? servers : servers.sort((a, b) => compareBytes(a.id, b.id));
}
