import PQueue from "p-queue";
import type { Candidate } from "../plan/probe_targets.ts";
import type { ProbeTarget } from "../util/probe.ts";
import type { Admission } from "../reconcile/ports.ts";
import { resolvesWithin, sleep } from "../util/time.ts";

/** What an admission calls. */
export interface AdmissionPorts {
  /** One probe: whether the target answers as it should. Never rejects. */
  readonly probe: (target: ProbeTarget, signal: AbortSignal) => Promise<boolean>;
  /** Brings up unready servers that passed their probe. Never rejects. */
  readonly bringUp: (keys: readonly string[]) => Promise<void>;
  readonly signal: AbortSignal;
}

/** How long a pass waits for its probes. */
const PASS_WAIT_MS = 200;
/** How long a server is probed after that; from then on HAProxy's own checks decide. */
const LATER_MS = 2_000;
const RETRY_MS = 100;
/** The first attempt is short: a target that drops packets must not block the queue. Later attempts may take longer. */
const FIRST_ATTEMPT_MS = 250;
const ATTEMPT_MS = 1_000;
const CONCURRENT = 256;

/** HAProxy's own behaviour: a server gets requests as soon as it is added. */
export const ADMIT_ALL: Admission = {
  begin: () => ({ unready: () => Promise.resolve(new Set()), confirm: () => {} }),
  probing: () => 0,
};

/** Creates an admission by probes. A candidate that does not answer delays no other candidate. */
export function createAdmission(ports: AdmissionPorts): Admission {
  const places = new PQueue({ concurrency: CONCURRENT });
  const running = new Map<string, AbortController>();

  const watch = async (candidate: Candidate & { target: ProbeTarget }, stop: AbortController) => {
    const signal = AbortSignal.any([ports.signal, stop.signal, AbortSignal.timeout(PASS_WAIT_MS + LATER_MS)]);
    try {
      return await probeUntilPassed(candidate.target, signal);
    } finally {
      if (running.get(candidate.key) === stop) running.delete(candidate.key);
    }
  };
  const probeUntilPassed = async (target: ProbeTarget, signal: AbortSignal): Promise<boolean> => {
    for (let attemptMs = FIRST_ATTEMPT_MS; !signal.aborted; attemptMs = ATTEMPT_MS) {
      const attempt = () => ports.probe(target, AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]));
      // It rejects when the time is over before the probe starts.
      if (await places.add(attempt, { signal }).catch(() => false)) return !signal.aborted;
      await sleep(RETRY_MS, signal);
    }
    return false;
  };

  return {
    probing: () => running.size,
    begin: (candidates) => {
      const round = createRound(candidates, ports.bringUp);
      for (const candidate of candidates) {
        running.get(candidate.key)?.abort();
        const { target } = candidate;
        if (target === undefined) continue;
        const stop = new AbortController();
        running.set(candidate.key, stop);
        watch({ ...candidate, target }, stop).then((passed) => round.done(candidate.key, passed));
      }
      return round;
    },
  };
}

function createRound(candidates: readonly Candidate[], bringUp: AdmissionPorts["bringUp"]) {
  const unready = new Set(candidates.map(({ key }) => key));
  let open = candidates.filter(({ target }) => target !== undefined).length;
  const { promise: all, resolve: finish } = Promise.withResolvers<void>();
  let decided = false;
  let confirmed = false;
  let late: string[] = [];
  if (open === 0) finish();

  const flush = () => {
    const keys = late;
    late = [];
    if (keys.length > 0) bringUp(keys);
  };
  return {
    done: (key: string, passed: boolean) => {
      if (--open === 0) finish();
      if (!passed) return;
      if (!decided) return void unready.delete(key);
      late.push(key);
      // Servers that pass at the same moment are brought up together.
      if (confirmed && late.length === 1) setTimeout(flush, 1);
    },
    unready: async () => {
      await resolvesWithin(all, PASS_WAIT_MS);
      decided = true;
      return new Set(unready);
    },
    confirm: () => {
      confirmed = true;
      flush();
    },
  };
}
