import type { Observed } from "../observed.ts";
import type { HaproxyPort } from "../ports.ts";

/** For how long an answer about health is good enough. */
const SIGHT_MS = 1_000;

/** Health changes between passes: whoever asks for the state gets it as it is, HAProxy being asked once a second at most. */
export function createSight(haproxy: HaproxyPort): () => Promise<Observed> {
  let last: { at: number; observed: Promise<Observed> } | undefined;
  return () => {
    if (last === undefined || performance.now() - last.at > SIGHT_MS) {
      last = { at: performance.now(), observed: haproxy.observe() };
    }
    return last.observed;
  };
}
