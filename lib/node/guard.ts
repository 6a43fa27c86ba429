import type { GuardLimits } from "../guard/guard.ts";
import { createGuardStore } from "../guard/record.ts";
import type { StateDir } from "../haproxy/state/dir.ts";
import type { StateFiles } from "../haproxy/state/files.ts";
import type { GuardPort } from "../guard/apply_guard.ts";
import { log } from "../util/log.ts";

/** The guard's limits, and its record in the state directory. */
export function guardPort(
  limits: GuardLimits | undefined,
  { dir: { guard: path }, files }: { dir: StateDir; files: StateFiles },
): GuardPort {
  const store = createGuardStore(path, {
    files,
    clocks: { wall: Date.now, monotonic: () => performance.now() },
    onError: (reason) =>
      log().error("guard cannot read or write its record, continuing without it", { path, reason }),
  });
  return { limits, ...store };
}
