import type { Observed } from "../plan/observed.ts";
import type { HaproxyPort } from "../reconcile/ports.ts";
import { resolvesWithin } from "../util/time.ts";

/** For how long an answer about health is good enough. */
const SIGHT_MS = 1_000;
/** Whoever asks for the state of a node that is in trouble must not have to wait for what is in trouble. */
const LIMIT_MS = 1_000;

/**
 * Health changes between passes: whoever asks for the state gets it as it is, HAProxy being asked once a second at most;
 * undefined while it has no answer.
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
