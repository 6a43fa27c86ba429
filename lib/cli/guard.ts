import type { GuardLimits } from "../guard.ts";
import { createGuardStore } from "../haproxy/guard_record.ts";
import type { StateDir } from "../haproxy/state_dir.ts";
import type { GuardPort } from "../hold.ts";
import { log } from "../log.ts";

/** The guard's limits, and its record in the state directory. */
export function guardPort(limits: GuardLimits | undefined, { guard: path }: StateDir): GuardPort {
  const store = createGuardStore(path, {
    clocks: { wall: Date.now, monotonic: () => performance.now() },
    onError: (reason) => log().error("guard cannot use its record, going on without", { path, reason }),
  });
  return { limits, ...store };
}
