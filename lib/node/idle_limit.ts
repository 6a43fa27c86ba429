import { ControllerError, messageOf } from "../util/errors.ts";
import type { StateFiles } from "../haproxy/state/files.ts";
import { longestIdleMs } from "../config/idle_timeout.ts";
import { log } from "../util/log.ts";

/**
 * For how long a retired worker may take a request from an idle client, in milliseconds; undefined: until it ends.
 *
 * @param bases the texts that HAProxy runs and is brought to
 * @param options `isAlone`: no retired worker is left. Until then the longest limit of any text counts, because retired
 * workers keep the text that they were started from
 */
export type IdleLimit = (
  bases: readonly string[],
  options: { readonly isAlone: boolean },
) => Promise<number | undefined>;

/** Keeps the limit in a file: retired workers outlive this process, and the next process does not know their text. */
export function createIdleLimit(path: string, files: StateFiles): IdleLimit {
  let limit: number | undefined;
  let kept: number | undefined;
  let isFailing = false;
  const keep = async (next: number) => {
    try {
      await files.replace(path, String(next));
      [kept, isFailing] = [next, false];
    } catch (error) {
      if (!(error instanceof ControllerError)) throw error;
      if (!isFailing) {
        log().warn("cannot keep the idle limit for the next run", { path, reason: messageOf(error) });
      }
      isFailing = true;
    }
  };
  return async (bases, { isAlone }) => {
    limit ??= kept = await readLimit(path, files);
    const now = longestIdleMs(bases);
    limit = isAlone ? now : Math.max(limit, now);
    if (limit !== kept) await keep(limit);
    return limit === Infinity ? undefined : limit;
  };
}

/** A file that cannot be read counts as none. */
async function readLimit(path: string, files: StateFiles): Promise<number> {
  const text = await files.read(path).catch(() => undefined);
  return Number(text) || 0;
}
