import { formatAddress } from "../registry/address.ts";
import { isAskedFor, type Server } from "../registry/entry.ts";
import { memoByObject } from "../util/memo.ts";
import { compareBytes, type Model, serverKey, type Service } from "../registry/model.ts";
import type { KnownFile } from "./known_files.ts";

/** How many servers the guard lets go. */
export interface GuardLimits {
  /** The part of a service's servers that may leave undrained within `timeMs`; 0 to 1. */
  readonly share: number;
  /** Length of the window, and the longest time for which a server is held; in milliseconds. */
  readonly timeMs: number;
}

/** A server that left without having been drained. */
export interface Departure {
  readonly service: string;
  readonly id: string;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** What the guard remembers between passes. Times are monotonic milliseconds. */
export interface GuardState {
  /** Whether the record of an earlier run was read. It never is while the guard is off. */
  readonly isRead: boolean;
  /** The services in the configuration file; undefined while that is not known. */
  readonly inFile: readonly Service[] | undefined;
  readonly departures: readonly Departure[];
  /** Since when servers of the file are missing in the registry, by `<service>/<id>`. */
  readonly missingSince: ReadonlyMap<string, number>;
  /** The configuration files that a restart may find. */
  readonly files: readonly KnownFile[];
}

/** A server that left the registry and is held for a while. */
export interface HeldServer {
  readonly server: Server;
  readonly since: number;
  /** When it is released at the latest. */
  readonly until: number;
}

/** A server that left the registry and is no longer held, and why. */
export interface ReleasedServer {
  readonly server: Server;
  readonly since: number;
  readonly reason: string;
  /** It was not drained before, so it counts as one that vanished. */
  readonly counts: boolean;
}

/** The model with the servers that are held, and what was decided of each server that left the registry. */
export interface Guarded {
  readonly model: Model;
  readonly held: readonly HeldServer[];
  readonly released: readonly ReleasedServer[];
}

/** What the guard decided in a pass. Times are monotonic milliseconds. */
export interface GuardVerdict extends Omit<Guarded, "model"> {
  /** What the guard knew: after a start, also what an earlier run put on record. */
  readonly known: GuardState;
  readonly decidedAt: number;
  /** When to look again; undefined when nothing is held. */
  readonly lookAt: number | undefined;
}

export interface GuardInput {
  /** What the registry asks for. */
  readonly model: Model;
  readonly state: GuardState;
  /** Why a server must not be held, such as a check that has failed; undefined when it may. */
  readonly objection: (server: Server) => string | undefined;
  readonly now: number;
  readonly limits: GuardLimits;
}

/** The state of a guard that knows nothing yet. */
export const INITIAL_GUARD: GuardState = {
  isRead: false,
  inFile: undefined,
  departures: [],
  missingSince: new Map(),
  files: [],
};

/**
 * Holds servers that may not leave yet. Within any window of `timeMs` at most `share` of a service's servers, of two or
 * more, may leave without having been drained. Others stay in the model, each for `timeMs` at most. A server goes at once
 * when it was drained before, when its check has failed, or when another entry has its address. See
 * docs/adr/0001-mass-disappearance-guard.md.
 */
export function guard(input: GuardInput): Guarded {
  const { model, state } = input;
  const verdicts = missingServers(state, model).map((service) => judge(service, input));
  const held = verdicts.flatMap(({ held }) => held);
  return { model: withHeld(model, held), held, released: verdicts.flatMap(({ released }) => released) };
}

/** The services that lack servers which are in the file. */
export function missingServices(state: GuardState, model: Model): string[] {
  return missingServers(state, model).map(({ name }) => name);
}

/** What the guard knows after a pass; `inFile` are the services in the file that it wrote, undefined if it wrote none. */
export function afterGuard(
  { model, guard }: { readonly model: Model; readonly guard: GuardVerdict },
  { inFile, timeMs }: { readonly inFile: readonly Service[] | undefined; readonly timeMs: number },
): GuardState {
  const { known, held, released, decidedAt } = guard;
  const missing = [...held, ...inFile === undefined ? released : []];
  const missingSince = new Map(missing.map(({ server, since }) => [serverKey(server), since]));
  if (inFile === undefined) return { ...known, missingSince };
  const recent = known.departures.filter(({ at }) => decidedAt - at < timeMs);
  const left = released.filter(({ counts }) => counts)
    .map(({ server: { service, id } }) => ({ service, id, at: decidedAt }));
  const departures = [...stillGone(recent, model), ...left];
  return { ...known, inFile, departures, missingSince };
}

/** A server that came back has not left. */
export function stillGone(
  departures: readonly Departure[],
  { services }: Pick<Model, "services">,
): readonly Departure[] {
  if (departures.length === 0) return departures;
  const present = new Map(services.map(({ name, servers }) => [name, new Set(servers.map(({ id }) => id))]));
  return departures.filter(({ service, id }) => present.get(service)?.has(id) !== true);
}

interface Missing {
  readonly name: string;
  /** How many servers of the service are in the file. */
  readonly total: number;
  readonly servers: readonly Server[];
}

function missingServers({ inFile = [] }: GuardState, { services }: Model): Missing[] {
  const desired = new Map(services.map((service) => [service.name, service.servers]));
  return inFile.flatMap(({ name, servers }) => {
    const missing = without(servers, desired.get(name) ?? []);
    return missing.length === 0 ? [] : [{ name, total: servers.length, servers: missing }];
  });
}

/** The servers whose id is not among the others; both are sorted by id. */
function without(servers: readonly Server[], others: readonly Server[]): Server[] {
  if (servers === others) return [];
  let at = 0;
  return servers.filter(({ id }) => {
    while (compareBytes(others[at]?.id ?? "\uffff", id) < 0) at++;
    return others[at]?.id !== id;
  });
}

/** Which servers of a service may leave. Those whose check has failed count, so that healthy ones do not follow them. */
function judge({ name, total, servers }: Missing, input: GuardInput): Omit<Guarded, "model"> {
  const { model, state, now, limits } = input;
  const recent = state.departures.filter(({ service, at }) => service === name && now - at < limits.timeMs);
  const left = stillGone(recent, model).length;
  const candidates: HeldServer[] = [];
  const released: ReleasedServer[] = [];
  for (const server of servers) {
    const since = state.missingSince.get(serverKey(server)) ?? now;
    const why = reasonToGo(server, since, input);
    if (why === undefined) candidates.push({ server, since, until: since + limits.timeMs });
    else released.push({ server, since, ...why });
  }
  const size = total + left;
  const gone = left + released.filter(({ counts }) => counts).length;
  const allowed = size < 2 ? 1 : Math.max(0, Math.floor(size * limits.share) - gone);
  // The server that was missing for longest goes first.
  candidates.sort((a, b) => a.since - b.since);
  const allowedOnes = candidates.slice(0, allowed)
    .map(({ server, since }) => ({ server, since, reason: "only a few servers left", counts: true }));
  return { held: candidates.slice(allowed), released: [...released, ...allowedOnes] };
}

/** Why a server need not be held; `counts` tells that it leaves without having been drained. */
function reasonToGo(
  server: Server,
  since: number,
  { model, objection, now, limits }: GuardInput,
): Pick<ReleasedServer, "reason" | "counts"> | undefined {
  if (!isAskedFor(server)) return { reason: "it was drained", counts: false };
  if (addressesOf(model).has(formatAddress(server.address))) {
    return { reason: "another entry has its address", counts: false };
  }
  const against = objection(server);
  if (against !== undefined) return { reason: against, counts: true };
  if (now - since >= limits.timeMs) return { reason: "--guard-time is over", counts: true };
  return undefined;
}

const addressesOf = memoByObject(({ services }: Model): ReadonlySet<string> =>
  new Set(services.flatMap(({ servers }) => servers.map(({ address }) => formatAddress(address))))
);

/** The model with the held servers in their services. */
function withHeld(model: Model, held: readonly HeldServer[]): Model {
  if (held.length === 0) return model;
  const byService = Map.groupBy(held.map(({ server }) => server), ({ service }) => service);
  const services = model.services.map((service): Service => {
    const more = byService.get(service.name);
    byService.delete(service.name);
    return more === undefined ? service : { ...service, servers: sorted([...service.servers, ...more]) };
  });
  const emptied = [...byService].map(([name, servers]): Service => ({ name, servers: sorted(servers) }));
  if (emptied.length === 0) return { ...model, services };
  return { ...model, services: [...services, ...emptied].sort((a, b) => compareBytes(a.name, b.name)) };
}

function sorted(servers: readonly Server[]): Server[] {
  return [...servers].sort((a, b) => compareBytes(a.id, b.id));
}
