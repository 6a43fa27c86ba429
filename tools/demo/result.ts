import type { Chapter, Failure } from "../local/load_counts.ts";

/** What one chapter of the story came to. */
export interface Result {
  title: string;
  /** What the clients saw in it. */
  chapter: Chapter;
  /** For each node, the milliseconds until its clients saw the change; nothing when nothing changed. */
  reachedMs?: ReadonlyMap<string, number>;
  /** A backend that was killed without warning: its in-flight requests may fail. */
  kill?: Kill;
}

/** The end of a backend that got no warning. */
export interface Kill {
  /** When it had ended, in milliseconds of `performance.now()`. */
  at: number;
  /** How many requests may have been in flight: the number of client connections. */
  connections: number;
}

/**
 * The failures that the story does not allow. Allowed are only those of requests that were in flight at a backend when
 * it was killed, and never more than there are client connections.
 */
export function failuresNotAllowed({ chapter, kill }: Result): number {
  const { failed, failures } = chapter.all;
  if (kill === undefined) return failed;
  const allowed = failures.filter((failure) => wasInFlight(failure, kill)).length;
  return failed - Math.min(allowed, kill.connections);
}

function wasInFlight(failure: Failure, kill: Kill): boolean {
  return failure.startedAt <= kill.at;
}
