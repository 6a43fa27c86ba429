import type { GuardLimits } from "../guard.ts";
import { createGuardStore } from "../haproxy/guard_record.ts";
import type { StateDir } from "../haproxy/state_dir.ts";
import type { StateFiles } from "../haproxy/state_files.ts";
import type { GuardPort } from "../hold.ts";
import { log } from "../log.ts";

/** The guard's limits, and its record in the state directory. */
export function guardPort(
  limits: GuardLimits | undefined,
  { dir: { guard: path }, files }: { dir: StateDir; files: StateFiles },
): GuardPort {
  const store = createGuardStore(path, {
    files,
    clocks: { wall: Date.now, monotonic: () => performance.now() },
    onError: (reason) => log().error("guard cannot use its record, going on without", { path, reason }),
  });
  return { limits, ...store };
}
