import { baseDigest, splitConfig } from "../config/text.ts";
import type { Observed, Processes } from "../plan/observed.ts";
import type { HaproxyPort } from "./ports.ts";
import type { NodeState } from "./state.ts";

/** What a pass sees before it changes anything. */
export interface Observation {
  readonly processes: Processes;
  /** All that the worker runs. */
  readonly running: Observed;
  /** The configuration file; undefined when there is none. */
  readonly file: string | undefined;
  /** The base that the worker was started from, if its text is known. */
  readonly baseText: string | undefined;
}

/**
 * Looks at HAProxy and its file. Asking for everything costs HAProxy time at thousands of servers, so it is done only
 * when something may be unknown, or when a full look is asked for.
 */
export async function observe(
  haproxy: HaproxyPort,
  { known, goodBase }: NodeState,
  { full }: { readonly full: boolean },
): Promise<Observation> {
  const [processes, file] = await Promise.all([haproxy.processes(), haproxy.readConfig()]);
  const isKnown = known?.observed.kind === "up" && known.workerPid === processes.workerPid &&
    known.observed.base === processes.base;
  const running = isKnown && !full ? known.observed : await haproxy.observe();
  const baseText = goodBase ?? await findBase(running, file, haproxy);
  return { processes, running, file, baseText };
}

/** After a start of the controller, the base that HAProxy runs is known from the file, if that was loaded, or from the last good one. */
async function findBase(
  running: Observed,
  file: string | undefined,
  haproxy: HaproxyPort,
): Promise<string | undefined> {
  if (running.kind !== "up") return undefined;
  for (const text of [file, await haproxy.readLastGood()]) {
    const base = text === undefined ? undefined : splitConfig(text).base;
    if (base !== undefined && baseDigest(base) === running.base) return base;
  }
  return undefined;
}
