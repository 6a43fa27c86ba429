import { ControllerError } from "../util/errors.ts";
import {
  guard,
  type GuardLimits,
  type GuardState,
  type GuardVerdict,
  missingServices,
  stillGone,
} from "./guard.ts";
import { type Model, refusalOf, type Refusals } from "../registry/model.ts";
import type { Server } from "../registry/entry.ts";
import { type Networks, objectionToServer } from "../registry/allowed_addresses.ts";
import type { Observed, ObservedServers } from "../plan/observed.ts";
import { filesAtStart, findFile, type NextFile, withNext } from "./known_files.ts";

/** The part that outlives the process: a restart must not begin a new window, and must know which servers are served. */
export type GuardRecord = Pick<GuardState, "departures" | "missingSince" | "files">;

/** The guard's limits and its record. */
export interface GuardPort {
  /** Undefined: the guard is off. */
  readonly limits: GuardLimits | undefined;
  /** The record of an earlier run. Never rejects. */
  load(): Promise<GuardRecord>;
  /** Keeps a record for the next run. Never rejects: a full disk must not stop a pass. */
  save(record: GuardRecord): Promise<void>;
}

/** What the guard asks of HAProxy. */
export interface GuardedHaproxy {
  /** The last good configuration; undefined when there is none. Throws a ControllerError when it cannot be read. */
  readLastGood(): Promise<string | undefined>;
  /** What the worker runs in these backends; throws a ControllerError when it does not answer. */
  observeBackends(backends: readonly string[]): Promise<ObservedServers>;
}

/** What the guard decides by, besides the model. */
export interface GuardBasis {
  /** What the guard knew when the pass began. */
  readonly state: GuardState;
  /** A server that HAProxy refuses must not be held. */
  readonly refusals: Refusals;
  readonly running: Observed;
  /** The configuration file; undefined when there is none. */
  readonly file: string | undefined;
}

export interface GuardPorts {
  readonly guard: GuardPort;
  readonly haproxy: GuardedHaproxy;
  readonly networks: Networks;
  readonly now: () => number;
}

/** How soon held servers are looked at again: their check may have failed meanwhile. */
const LOOK_AGAIN_MS = 500;

/** Asks the guard what may leave, with the servers in the file and the health that they have now. */
export async function applyGuard(
  registry: Model,
  basis: GuardBasis,
  ports: GuardPorts,
): Promise<{ readonly model: Model; readonly guard: GuardVerdict }> {
  const { limits } = ports.guard;
  if (limits === undefined) {
    const nothing = { held: [], released: [], known: basis.state, lookAt: undefined };
    return { model: registry, guard: { ...nothing, decidedAt: ports.now() } };
  }
  const known = await withRecord(basis, ports);
  const seen = await healthOf(missingServices(known, registry), basis.running, ports.haproxy);
  const now = ports.now();
  const objection = objections(seen, basis.refusals, ports.networks);
  const { model, held, released } = guard({ model: registry, state: known, objection, now, limits });
  const lookAt = held.length === 0 ? undefined : now + LOOK_AGAIN_MS;
  return { model, guard: { held, released, known, decidedAt: now, lookAt } };
}

/** After a start: the record of an earlier run, as far as it is about the files that are there now. */
async function withRecord(
  { state, running, file }: GuardBasis,
  { guard, haproxy }: GuardPorts,
): Promise<GuardState> {
  // Before HAProxy was started the file may still be replaced by the last good one.
  if (state.isRead || running.kind === "starting") return state;
  const [record, lastGood] = await Promise.all([guard.load(), haproxy.readLastGood()]);
  const files = filesAtStart(record.files, { lastGood, onDisk: file });
  // HAProxy may run on although its file was removed.
  const inFile = findFile(files, file ?? lastGood)?.services;
  // The record comes before the file: a server that was about to leave may still be there.
  const departures = stillGone(record.departures, { services: inFile ?? [] });
  return { ...record, departures, files, isRead: true, inFile };
}

/** The verdict of a pass that is about to write a file; a guard that has no record keeps none. */
export function withNextFile(verdict: GuardVerdict, next: NextFile): GuardVerdict {
  const { known } = verdict;
  return known.isRead ? { ...verdict, known: { ...known, files: withNext(known.files, next) } } : verdict;
}

function objections(seen: ObservedServers, refusals: Refusals, networks: Networks) {
  return (server: Server): string | undefined => {
    if (seen.get(server.service)?.get(server.id)?.up === false) return "its check has failed";
    if (refusalOf(server, refusals) !== undefined) return "HAProxy refuses it";
    return objectionToServer(server, networks);
  };
}

/** The health of servers now. The last full look may be half a minute old. */
async function healthOf(
  services: readonly string[],
  running: Observed,
  haproxy: GuardedHaproxy,
): Promise<ObservedServers> {
  if (services.length === 0 || running.kind !== "up") return new Map();
  try {
    return await haproxy.observeBackends(services);
  } catch (error) {
    if (error instanceof ControllerError) return new Map();
    throw error;
  }
}
