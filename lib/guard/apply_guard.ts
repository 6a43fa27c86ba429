import type { ConfigText } from "../config/text.ts";
import { ControllerError } from "../util/errors.ts";
import {
  afterGuard,
  guard,
  type Guarded,
  type GuardLimits,
  type GuardState,
  missingServices,
} from "./guard.ts";
import { type Model, type Refusals, serverKey, type Service } from "../registry/model.ts";
import type { Server } from "../registry/entry.ts";
import { type Networks, objectionTo } from "../registry/allowed_addresses.ts";
import type { Observed, ObservedServers } from "../plan/observed.ts";
import { servedIn, servedWithoutTemplate } from "./read_back.ts";

/** What outlives the process: a restart must not begin a new window. */
export type GuardRecord = Pick<GuardState, "departures" | "missingSince">;

/** What the guard needs of the world. */
export interface GuardPort {
  /** Undefined: the guard is off. */
  readonly limits: GuardLimits | undefined;
  /** What an earlier run left. Never rejects. */
  load(): Promise<GuardRecord>;
  /** Keeps a record for the next run. Never rejects: a full disk must not stop a pass. */
  save(record: GuardRecord): Promise<void>;
}

/** What the guard asks of HAProxy. */
export interface HealthPort {
  /** What the worker runs in these backends; throws a ControllerError when it does not answer. */
  observeBackends(backends: readonly string[]): Promise<ObservedServers>;
}

interface HoldOptions {
  readonly memory: GuardState;
  /** What HAProxy does not take must not be held. */
  readonly refusals: Refusals;
  readonly networks: Networks;
  readonly observed: Observed;
  readonly file: string | undefined;
  readonly haproxy: HealthPort;
  readonly guard: GuardPort;
  readonly render: (model: Model) => Promise<ConfigText>;
  readonly now: () => number;
}

/** How soon what is held is looked at again: its check may have failed meanwhile. */
const LOOK_AGAIN_MS = 500;

/** What the guard made of a model. */
export interface Hold extends Guarded {
  /** When to look again; undefined when nothing is held. */
  readonly lookAt: number | undefined;
  /** What to remember once the model stands in the file (`served`), or while it does not yet. */
  remember(outcome: { served: boolean }): GuardState;
}

/** Asks the guard what may leave: with what the file holds, and with the health that servers have now. */
export async function hold(model: Model, options: HoldOptions): Promise<Hold> {
  const { limits } = options.guard;
  const memory = limits === undefined ? options.memory : await knownMemory(model, options);
  const seen = limits === undefined ? new Map() : await healthOf(missingServices(memory, model), options);
  const now = options.now();
  const guarded = guard({ model, memory, objection: objections(seen, options), now, limits });
  return {
    ...guarded,
    lookAt: guarded.held.length === 0 ? undefined : now + LOOK_AGAIN_MS,
    remember: ({ served }) => afterGuard(memory, guarded, { served, now, timeMs: limits?.timeMs ?? 0 }),
  };
}

/** After a start: what the file holds, and what an earlier run remembered. */
async function knownMemory(
  model: Model,
  { memory, observed, file, guard, render }: HoldOptions,
): Promise<GuardState> {
  // Before HAProxy was started the file may still be replaced by the last good one.
  if (memory.served !== undefined || observed.kind === "starting") return memory;
  const record = await guard.load();
  return { ...record, served: file === undefined ? [] : await readBack(file, { model, record, render }) };
}

async function readBack(
  file: string,
  { model, record, render }: { model: Model; record: GuardRecord } & Pick<HoldOptions, "render">,
): Promise<readonly Service[]> {
  try {
    return await servedIn(file, render);
  } catch (error) {
    if (!(error instanceof ControllerError)) throw error;
    const asked = model.services.flatMap(({ servers }) => servers.map(serverKey));
    return servedWithoutTemplate(file, new Set([...asked, ...record.missingSince.keys()]));
  }
}

function objections(seen: ObservedServers, { refusals, networks }: HoldOptions) {
  return (server: Server): string | undefined => {
    if (seen.get(server.service)?.get(server.id)?.up === false) return "its check has failed";
    if (refusals.get(serverKey(server))?.revision === server.revision) return "HAProxy refuses it";
    const { address, check } = server;
    return objectionTo(address, check.kind === "on" ? check.port : undefined, networks);
  };
}

/** What was seen in the last full look may be half a minute old. */
async function healthOf(
  services: readonly string[],
  { observed, haproxy }: HoldOptions,
): Promise<ObservedServers> {
  if (services.length === 0 || observed.kind !== "up") return new Map();
  try {
    return await haproxy.observeBackends(services);
  } catch (error) {
    if (error instanceof ControllerError) return new Map();
    throw error;
  }
}
