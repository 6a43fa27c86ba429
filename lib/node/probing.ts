import { ADMIT_ALL, createAdmission } from "../haproxy/admission.ts";
import { bringUp } from "../haproxy/change.ts";
import { healthUpLine } from "../haproxy/wire/commands.ts";
import type { Admission } from "../reconcile/ports.ts";
import { log } from "../util/log.ts";
import { probe } from "../util/probe.ts";
import type { RunOptions } from "./options.ts";
import { aborted, type Part } from "./parts.ts";

/** How servers are admitted, and the part that ends it with the node. */
export interface Probing {
  readonly admission: Admission;
  readonly part: Part;
}

/** Creates it; a server that passed is brought up on this socket. */
export function createProbing(mode: RunOptions["admission"], runtimeSocket: string): Probing {
  const stop = new AbortController();
  const part: Part = {
    name: "probes",
    run: async (signal) => {
      await aborted(signal);
      stop.abort();
    },
  };
  if (mode === "none") return { admission: ADMIT_ALL, part };
  const admission = createAdmission({
    probe,
    bringUp: async (keys) => {
      const errors = await bringUp(runtimeSocket, keys.map(healthUpLine));
      if (errors.length > 0) {
        log().debug("servers not brought up, left to HAProxy's checks", { keys, errors });
      }
    },
    signal: stop.signal,
  });
  return { admission, part };
}
