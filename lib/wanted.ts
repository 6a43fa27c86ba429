import { judgeBackends, sectionsOf } from "./config_section.ts";
import { baseDigest, baseText, type ConfigText, fitted, missingBackends } from "./config_text.ts";
import type { Memory } from "./memory.ts";
import type { Model } from "./model.ts";
import { serverParams, withServerIds } from "./server_line.ts";

/** The configuration that a pass drives HAProxy to. */
export interface Wanted {
  readonly config: ConfigText;
  /** Whether the base is the rendered one, or the last good one because the rendered one is refused. */
  readonly base: "rendered" | "last-good";
  /** Backends that wait for the rendered base: the last good one has no place for their servers. */
  readonly waiting: readonly string[];
}

/**
 * Chooses the base. While the rendered one is refused, the last good one goes on with the servers of now: a broken
 * template must not stop endpoints from following.
 */
export function chooseWanted(rendered: ConfigText, memory: Memory, now: number): Wanted {
  const { refusedBase, goodBase } = memory;
  const isRefused = refusedBase?.digest === baseDigest(rendered.base) && now < refusedBase.retryAt;
  if (goodBase === undefined) return { config: rendered, base: "rendered", waiting: [] };
  if (isRefused) return onLastGood(goodBase, rendered.servers);
  return { config: keepEmptyBackends(rendered, goodBase), base: "rendered", waiting: [] };
}

/** What is wanted while the rendered base waits for its reload. */
export function wantedMeanwhile(rendered: ConfigText, goodBase: string): Wanted {
  return onLastGood(goodBase, rendered.servers);
}

/** A backend that only disappears is no reason to reload: without servers it answers 503 to nobody, and may come back. */
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

/** What is wanted while the template cannot be rendered at all: server lines are written as the embedded template does. */
export function wantedWithoutTemplate(model: Model, goodBase: string): Wanted {
  const lines = model.services.map(({ name, servers }) => {
    return [name, servers.map((server) => ({ name: server.id, params: serverParams(server) }))] as const;
  });
  return onLastGood(goodBase, withServerIds(new Map(lines)));
}

function onLastGood(base: string, servers: ConfigText["servers"]): Wanted {
  const config = { base, servers };
  return { config: fitted(config), base: "last-good", waiting: missingBackends(config) };
}
