import { parseEntry, type Server } from "../../lib/registry/entry.ts";
import { buildModel, EMPTY_MODEL, type Model } from "../../lib/registry/model.ts";
import type { Outcome } from "../../lib/reconcile/apply.ts";
import type { Observed, ObservedServer } from "../../lib/plan/observed.ts";
import type { HeldServer, ReleasedServer } from "../../lib/guard/guard.ts";
import { type Decision, lastObserved, type Pass } from "../../lib/reconcile/pass.ts";
import { INITIAL_STATE, type NodeState } from "../../lib/reconcile/state.ts";
import type { RenderSettings } from "../../lib/config/render.ts";
import type { RawEntry } from "../../lib/registry/snapshot.ts";
import type { NodeFacts } from "../../lib/node/facts.ts";

export const SERVICES = "/services/";
export const OVERRIDES = "/haproxy/settings/servers/";
export const PREFIXES = { services: SERVICES, overrides: OVERRIDES };

export const RENDER_SETTINGS: RenderSettings = {
  bind: "127.0.0.1:8001",
  statsBind: "127.0.0.1:8401",
  runtimeSocket: "/run/lb/runtime.sock",
  stateFile: "/run/lb/servers.state",
  hardStopAfterMs: 600_000,
  hasResolvConf: true,
};

/** One key as etcd holds it; a value that is no text is written as JSON. */
export function raw(key: string, value: unknown, modRevision = 1n): RawEntry {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const bytes = value instanceof Uint8Array ? value : new TextEncoder().encode(text);
  return { key, value: bytes, modRevision, hasLease: true };
}

/** The model of entries by `<service>/<id>`, with overrides by the same. */
export function modelOf(entries: Record<string, unknown>, overrides: Record<string, unknown> = {}): Model {
  const below = (prefix: string, values: Record<string, unknown>) =>
    Object.entries(values).map(([place, value]) => raw(`${prefix}${place}`, value));
  const all = [...below(SERVICES, entries), ...below(OVERRIDES, overrides)];
  return buildModel({ revision: 9n, entries: all }, PREFIXES);
}

/** The server of a value that must be accepted. */
export function serverOf(value: unknown, place = "backend/web1"): Server {
  const result = parseEntry(raw(`${SERVICES}${place}`, value), SERVICES);
  if (!result.ok) throw new Error(`Cannot make a server: ${result.reason}`);
  return result.value.value;
}

/** Why a value is rejected, or undefined when it is not. */
export function rejectionOf(value: unknown, place = "backend/web1"): string | undefined {
  const result = parseEntry(raw(`${SERVICES}${place}`, value), SERVICES);
  return result.ok ? undefined : result.reason;
}

/** A server as a worker runs it, ready and up unless said otherwise. */
export function observed(name: string, changes: Partial<ObservedServer> = {}): ObservedServer {
  const ip = "10.0.0.5";
  const row = `3 backend 7 ${name} ${ip} 2 0 100 100 10 6 3 4 6 0 0 1 - 8080 - 0 0 - - 0`;
  return {
    name,
    id: 7,
    ip,
    port: 8080,
    fqdn: undefined,
    weight: 100,
    maint: false,
    draining: false,
    up: true,
    row,
    ...changes,
  };
}

/** A HAProxy that runs no server of ours. */
export const EMPTY_HAPROXY: Observed = { kind: "up", base: undefined, servers: new Map() };

/** A plan that got to its end, with nothing left to do. */
export function reached(changes: Partial<Extract<Outcome, { kind: "reached" }>> = {}): Outcome {
  return { kind: "reached", observed: EMPTY_HAPROXY, pending: 0, ...changes };
}

/** What a test wants to be special about a pass, whatever part of it that is. */
export interface PassChanges
  extends Partial<Omit<Pass, "model" | "guard" | "observed" | "decision" | "state">> {
  readonly observed?: Observed;
  readonly oldWorkers?: number;
  readonly desired?: Decision["desired"];
  readonly plan?: Decision["plan"];
  readonly pace?: Decision["pace"];
  readonly reloadAt?: number;
  readonly held?: readonly HeldServer[];
  readonly released?: readonly ReleasedServer[];
  readonly state?: Partial<NodeState>;
}

/** A pass over a model that changed nothing, unless said otherwise. */
export function passOf(model: Model, changes: PassChanges = {}): Pass {
  const { observed = EMPTY_HAPROXY, oldWorkers = 0, held = [], released = [], state, ...others } = changes;
  const { desired = RENDERED, plan = { kind: "nothing" }, pace = { kind: "now" }, reloadAt, ...results } =
    others;
  return {
    model,
    guard: { held, released, known: INITIAL_STATE.guard, decidedAt: 100_000, lookAt: undefined },
    observed: {
      processes: { workerPid: 17, base: undefined, oldWorkers },
      running: observed,
      file: undefined,
      baseText: undefined,
    },
    decision: { desired, plan, pace, reloadAt },
    outcome: undefined,
    drift: 0,
    state: { ...INITIAL_STATE, ...state },
    requeue: { kind: "when-changed" },
    endedAt: 100_004,
    tookMs: 4,
    ...results,
  };
}

const RENDERED: Decision["desired"] = {
  config: { base: "global\n", servers: new Map() },
  base: "rendered",
  pendingBackends: [],
};

/** A node that has just been started: HAProxy is up, nothing was read yet. */
export function factsOf(changes: Partial<NodeFacts> = {}): NodeFacts {
  return {
    node: "lb1",
    version: "0.1.0",
    haproxyVersion: "2.6.12",
    haproxy: { kind: "up", pid: 17, adopted: false },
    sockets: { worker: { kind: "answers" }, master: { kind: "answers" } },
    passError: undefined,
    stateDirLost: undefined,
    passRunningMs: 0,
    etcd: { kind: "connecting" },
    stopping: false,
    inheritedAt: undefined,
    lastPass: undefined,
    lastChange: undefined,
    reachedOnce: false,
    lagMs: 0,
    admissionsWaiting: 0,
    observed: EMPTY_HAPROXY,
    nodeKeys: { kind: "published", as: "lb1" },
    ...changes,
  };
}

/** A node whose last pass served this model. */
export function servingFacts(model: Model = EMPTY_MODEL, changes: PassChanges = {}): NodeFacts {
  const lastPass = passOf(model, changes);
  return factsOf({
    etcd: { kind: "watching", member: "8e9e05c52164694d" },
    reachedOnce: true,
    lastPass,
    observed: lastObserved(lastPass),
  });
}
