import { ADMIT_ALL, createAdmission } from "../haproxy/admission.ts";
import { bringUp } from "../haproxy/change.ts";
import { healthUpLine } from "../haproxy/wire/commands.ts";
import type { Admission } from "../reconcile/ports.ts";
import { log } from "../util/log.ts";
import { probe } from "../util/probe.ts";
import type { RunOptions } from "./options.ts";

/** How servers are admitted until the signal is aborted. A server whose probe passed is brought up on this socket. */
export function admissionOf(
  mode: RunOptions["admission"],
  { runtimeSocket, signal }: { readonly runtimeSocket: string; readonly signal: AbortSignal },
): Admission {
  if (mode === "none") return ADMIT_ALL;
  return createAdmission({
    probe,
    bringUp: async (keys) => {
      const errors = await bringUp(runtimeSocket, keys.map(healthUpLine));
      if (errors.length > 0) {
        log().debug("cannot bring servers up, HAProxy's checks will", { keys, errors });
      }
    },
    signal,
  });
}
