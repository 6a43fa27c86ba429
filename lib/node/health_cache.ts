import type { Observed } from "../plan/observed.ts";
import type { HaproxyPort } from "../reconcile/ports.ts";
import { resolvesWithin } from "../util/time.ts";

/** How long an answer about health is used. */
const SIGHT_MS = 1_000;
/** A request for the node's state must not wait long for an HAProxy that does not answer. */
const LIMIT_MS = 1_000;

/**
 * Health changes between passes, so HAProxy is asked for it when the state is requested, once a second at most. Undefined
 * when it does not answer.
 */
export function createHealthCache(haproxy: HaproxyPort): () => Promise<Observed | undefined> {
  let last: { at: number; observed: Promise<Observed> } | undefined;
  return async () => {
    if (last === undefined || performance.now() - last.at > SIGHT_MS) {
      last = { at: performance.now(), observed: haproxy.observe() };
    }
    const { observed } = last;
    return await resolvesWithin(observed, LIMIT_MS) ? await observed : undefined;
  };
}
