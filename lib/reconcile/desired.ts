import { judgeBackends, sectionsOf } from "../config/section.ts";
import {
  baseDigest,
  baseText,
  type ConfigText,
  fitted,
  missingBackends,
  type ServerLine,
  type ServerLines,
  splitConfig,
} from "../config/text.ts";
import type { Server } from "../registry/entry.ts";
import type { Observation } from "./observe.ts";
import type { NodeState } from "./state.ts";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { Model, Service } from "../registry/model.ts";
import { comparable, serverParams, withServerIds } from "../config/server_line.ts";

/** The configuration that a pass drives HAProxy to. */
export interface Desired {
  readonly config: ConfigText;
  /** Whether the base is the rendered one, or the last good one because the rendered one is refused. */
  readonly base: "rendered" | "last-good";
  /** Backends that wait for the rendered base: the last good one has no place for their servers. */
  readonly pendingBackends: readonly string[];
  /** Why the template could not be rendered, if it could not. */
  readonly templateError?: string;
}

/** The texts that a pass may drive HAProxy to. */
export interface DesiredTexts {
  readonly first: Desired;
  /** The text to use while `first` waits for its reload; undefined: there is no other. */
  readonly meanwhile: Desired | undefined;
}

/**
 * Renders the model, and chooses the base. A template that fails must not stop servers from following: the last good base
 * is kept, with the servers of now.
 *
 * @throws {ControllerError} when the template fails and no good base is known
 */
export async function desire(
  model: Model,
  { observed, state, inFile }: {
    readonly observed: Observation;
    readonly state: NodeState;
    /** The services in the configuration file; undefined while that is not known. */
    readonly inFile: readonly Service[] | undefined;
  },
  { render, now }: { readonly render: (model: Model) => Promise<ConfigText>; readonly now: () => number },
): Promise<DesiredTexts> {
  const goodBase = observed.baseText;
  try {
    const rendered = await render(model);
    const first = chooseDesired(rendered, { goodBase, refusedBase: state.refusedBase }, now());
    const isSame = goodBase === undefined || goodBase === first.config.base;
    return { first, meanwhile: isSame ? undefined : onLastGood(goodBase, rendered.servers) };
  } catch (error) {
    if (!(error instanceof ControllerError) || goodBase === undefined) throw error;
    const { servers } = splitConfig(state.reachedText ?? observed.file ?? "");
    const known = { base: goodBase, servers, services: inFile };
    const first = desiredWithoutTemplate(model, known);
    return { first: { ...first, templateError: messageOf(error) }, meanwhile: undefined };
  }
}

/**
 * Chooses the base. While the rendered one is refused, the last good one is kept, with the servers of now: a broken
 * template must not stop servers from following.
 */
export function chooseDesired(
  rendered: ConfigText,
  { refusedBase, goodBase }: Pick<NodeState, "refusedBase" | "goodBase">,
  now: number,
): Desired {
  const isRefused = refusedBase?.digest === baseDigest(rendered.base) && now < refusedBase.retryAt;
  if (goodBase === undefined) return { config: rendered, base: "rendered", pendingBackends: [] };
  if (isRefused) return onLastGood(goodBase, rendered.servers);
  return { config: keepEmptyBackends(rendered, goodBase), base: "rendered", pendingBackends: [] };
}

/** A backend that only disappears is no reason to reload: no frontend uses it any more, and it may come back. */
function keepEmptyBackends(rendered: ConfigText, goodBase: string): ConfigText {
  if (rendered.base === goodBase) return rendered;
  const names = new Set(
    sectionsOf(rendered.base).filter(({ keyword }) => keyword === "backend").map(({ name }) => name),
  );
  const sections = sectionsOf(goodBase);
  const judged = judgeBackends(sections);
  const left = sections.filter((section) => names.has(section.name) || judged.get(section)?.plain !== true);
  return baseText(left) === rendered.base ? fitted({ base: goodBase, servers: rendered.servers }) : rendered;
}

/** The services that a text has a place for. */
export function servicesInFile({ services }: Model, { pendingBackends }: Desired): readonly Service[] {
  if (pendingBackends.length === 0) return services;
  const pending = new Set(pendingBackends);
  return services.filter(({ name }) => !pending.has(name));
}

/** The text that HAProxy was brought to. */
export interface KnownText {
  readonly base: string;
  readonly servers: ServerLines;
  /** The services in it; undefined while that is not known. */
  readonly services: readonly Service[] | undefined;
}

/**
 * The configuration to run while the template cannot be rendered at all. The lines of servers that have not changed stay as the
 * template wrote them, as do the lines that it has of its own. Others are written as the embedded template does.
 */
export function desiredWithoutTemplate(model: Model, known: KnownText): Desired {
  const [now, before] = [serversByName(model.services), known.services && serversByName(known.services)];
  const backends = new Set([...known.servers.keys(), ...now.keys()]);
  const lines = [...backends].map((name) => {
    const place = { lines: known.servers.get(name) ?? [], servers: now.get(name) };
    return [
      name,
      linesWithoutTemplate(place, before && new Map(before.get(name)?.map((s) => [s.id, s]))),
    ] as const;
  });
  return onLastGood(known.base, withServerIds(new Map(lines)));
}

function serversByName(services: readonly Service[]): ReadonlyMap<string, readonly Server[]> {
  return new Map(services.map(({ name, servers }) => [name, servers]));
}

/** The lines of one backend; `before` has the servers that were written for the registry, if they are known. */
function linesWithoutTemplate(
  { lines, servers }: { lines: readonly ServerLine[]; servers: readonly Server[] | undefined },
  before: ReadonlyMap<string, Server> | undefined,
): ServerLine[] {
  const desired = new Map(servers?.map((server) => [server.id, server]));
  // If they are not known, only backends that are no services are surely the template's own.
  const isOwn = (line: ServerLine) => before === undefined ? servers === undefined : !before.has(line.name);
  const kept = lines.flatMap((line) => {
    const server = desired.get(line.name);
    desired.delete(line.name);
    if (server === undefined) return isOwn(line) ? [line] : [];
    return [isWrittenFor(line, server, before?.get(line.name)) ? line : embeddedLine(server)];
  });
  return [...kept, ...[...desired.values()].map(embeddedLine)];
}

/** Whether a line is right for a server as it is now. */
function isWrittenFor(line: ServerLine, server: Server, before: Server | undefined): boolean {
  if (before === undefined) return placeOf(line) === placeOf(embeddedLine(server));
  return serverParams(before) === serverParams(server);
}

function embeddedLine(server: Server): ServerLine {
  return { name: server.id, params: serverParams(server) };
}

/** All of a line that a running server shows. */
function placeOf(line: ServerLine): string {
  const { address, weight, maint } = comparable(line);
  return JSON.stringify([address, weight, maint]);
}

/** The last good base with these servers. */
export function onLastGood(base: string, servers: ConfigText["servers"]): Desired {
  const config = { base, servers };
  return { config: fitted(config), base: "last-good", pendingBackends: missingBackends(config) };
}
