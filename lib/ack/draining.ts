import { isAskedFor } from "../registry/entry.ts";
import { memoByObject } from "../util/memo.ts";
import { serverKey } from "../registry/model.ts";
import type { ObservedServer, ObservedServers } from "../plan/observed.ts";
import { lastObserved, type Pass } from "../reconcile/pass.ts";

/** Servers that should get no request, as a pass left them. Named `<service>/<id>`. */
export interface KeptAway {
  /** They get no new request; only HAProxy knows whether they hold any. */
  readonly idleOrDraining: ReadonlySet<string>;
  /** They still get requests, because the change is delayed or an operator overrides it. */
  readonly stillServing: readonly string[];
  /** Backends in which the worker has such servers. */
  readonly backends: readonly string[];
  /** Whether the worker sends requests to a server. */
  readonly takesRequests: (key: string) => boolean;
}

/** The servers that are kept away from requests, by the last look at HAProxy. */
export const keptAway = memoByObject((pass: Pass): KeptAway => {
  const observed = lastObserved(pass);
  const running: ObservedServers = observed.kind === "up" ? observed.servers : new Map();
  const taking = namesOf(running, takesRequests);
  const away = namesOf(running, (server) => !takesRequests(server));
  const takes = new Set(taking);
  return {
    idleOrDraining: new Set(away),
    backends: [...new Set(away.map(backendOf))],
    takesRequests: (key) => takes.has(key),
    stillServing: [...undesired(pass, taking), ...heldServers(pass), ...pass.model.overruled]
      .filter((key) => takes.has(key)),
  };
});

/** Servers that hold requests, or get them though they should not; `used` are the servers that hold requests. */
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

/** Servers that a test chooses, as `<backend>/<name>`. */
function namesOf(running: ObservedServers, test: (server: ObservedServer) => boolean): string[] {
  return [...running].flatMap(([backend, servers]) =>
    [...servers.values()].filter(test).map(({ name }) => `${backend}/${name}`)
  );
}

/** HAProxy takes no `/` in a name. */
function backendOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

/**
 * Servers that still serve though the registry does not ask for them: their backends change by a reload only, and that was
 * refused or waits. A template's own servers may be among them, which does no harm.
 */
function undesired({ model, decision: { desired } }: Pass, taking: readonly string[]): string[] {
  if (desired.base === "rendered") return [];
  const asked = new Set(model.services.flatMap(({ servers }) => servers.filter(isAskedFor).map(serverKey)));
  return taking.filter((key) => !asked.has(key) && !desired.config.servers.has(backendOf(key)));
}

/** They left the registry, and get requests until the guard releases them. */
function heldServers({ guard }: Pass): string[] {
  return guard.held.map(({ server }) => serverKey(server));
}
