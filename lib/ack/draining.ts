import { isAskedFor } from "../registry/entry.ts";
import { memoByObject } from "../util/memo.ts";
import { serverKey } from "../registry/model.ts";
import type { ObservedServer, ObservedServers } from "../plan/observed.ts";
import { lastObserved, type Pass } from "../reconcile/pass.ts";

/** Servers that the registry keeps requests away from, as a pass left them. All by `<service>/<id>`. */
export interface KeptAway {
  /** They get no new request; HAProxy has to be asked whether they hold any. */
  readonly idleOrDraining: ReadonlySet<string>;
  /** They get requests all the same, because something holds the change up or an operator overrides it. */
  readonly stillServing: readonly string[];
  /** Backends in which the worker has such servers. */
  readonly backends: readonly string[];
  /** Whether the worker sends requests to a server. */
  readonly takesRequests: (key: string) => boolean;
}

/** Who is kept away from requests, by what HAProxy was last seen to run. */
export const keptAway = memoByObject((pass: Pass): KeptAway => {
  const observed = lastObserved(pass);
  const running: ObservedServers = observed.kind === "up" ? observed.servers : new Map();
  const keys = new Set<string>();
  const backends: string[] = [];
  for (const [backend, servers] of running) {
    const away = [...servers.values()].filter((server) => !takesRequests(server));
    away.forEach(({ name }) => keys.add(`${backend}/${name}`));
    if (away.length > 0) backends.push(backend);
  }
  const takes = (key: string) => {
    const [backend = "", name = ""] = key.split("/");
    const server = running.get(backend)?.get(name);
    return server !== undefined && takesRequests(server);
  };
  return {
    idleOrDraining: keys,
    backends,
    takesRequests: takes,
    stillServing: [...undesired(pass, running), ...heldServers(pass), ...pass.model.overruled].filter(takes),
  };
});

/** Servers that hold requests, or get them though they must not; `used` are those in use by any worker. */
export function drainingServers(
  away: KeptAway,
  used: { now: Iterable<string>; byOldWorkers: Iterable<string> },
): string[] {
  const draining = new Set(away.stillServing);
  for (const key of used.now) if (away.idleOrDraining.has(key)) draining.add(key);
  for (const key of used.byOldWorkers) if (!away.takesRequests(key)) draining.add(key);
  return [...draining].sort();
}

function takesRequests({ weight, maint, draining }: ObservedServer): boolean {
  return weight > 0 && !maint && !draining;
}

/**
 * Servers that go on though the registry does not ask for them: those of backends which only a reload changes, while the
 * reload is refused or waits. Servers that a template names itself may be among them, which harms nobody.
 */
function undesired({ model, decision: { desired } }: Pass, running: ObservedServers): string[] {
  if (desired.base === "rendered") return [];
  const asked = new Set(model.services.flatMap(({ servers }) => servers.filter(isAskedFor).map(serverKey)));
  return [...running].filter(([backend]) => !desired.config.servers.has(backend)).flatMap((
    [backend, servers],
  ) => [...servers.values()].filter(takesRequests).map(({ name }) => `${backend}/${name}`)).filter((key) =>
    !asked.has(key)
  );
}

/** They left the registry, and get requests until the guard lets them go. */
function heldServers({ guard }: Pass): string[] {
  return guard.held.map(({ server }) => serverKey(server));
}
