import { ControllerError, messageOf } from "../../util/errors.ts";
import { sleep } from "../../util/time.ts";
import type { OpenStateDir } from "./dir.ts";

/** What a look at the state directory found. */
export type StateDirSeen =
  | { readonly kind: "there" }
  /** It was removed, or some of its files were. */
  | { readonly kind: "made-again"; readonly missing: readonly string[] }
  | { readonly kind: "lost"; readonly reason: string };

/** Restores the state directory while the node runs. */
export interface StateKeeper {
  /**
   * Restores what is missing.
   *
   * @throws {ControllerError} (operator) when it cannot be restored
   */
  ensure(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

const LOOK_MS = 300;

/** Creates a keeper; it does nothing before `run()` or `ensure()`. */
export function createStateKeeper(
  { restore }: Pick<OpenStateDir, "restore">,
  onSeen: (seen: StateDirSeen) => void,
): StateKeeper {
  let looking: Promise<StateDirSeen> | undefined;
  const look = async (): Promise<StateDirSeen> => {
    const seen = await seenBy(restore);
    onSeen(seen);
    return seen;
  };
  // Two at the same time would compete for the lock.
  const lookOnce = () => looking ??= look().finally(() => looking = undefined);
  return {
    ensure: async () => {
      const seen = await lookOnce();
      if (seen.kind === "lost") throw new ControllerError("operator", seen.reason);
    },
    run: async (signal) => {
      while (!signal.aborted) {
        await lookOnce();
        await sleep(LOOK_MS, signal);
      }
    },
  };
}

async function seenBy(restore: OpenStateDir["restore"]): Promise<StateDirSeen> {
  try {
    const missing = await restore();
    return missing.length === 0 ? { kind: "there" } : { kind: "made-again", missing };
  } catch (error) {
    if (!(error instanceof ControllerError)) throw error;
    return { kind: "lost", reason: messageOf(error) };
  }
}
