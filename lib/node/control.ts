import type { Source } from "../etcd/mirror.ts";
import type { ReconcilePorts } from "../reconcile/reconcile.ts";
import type { NodeKeys } from "./announce.ts";
import { runController } from "./controller.ts";
import { isReached } from "./facts.ts";
import type { Lag } from "./lag.ts";
import type { Part } from "./parts.ts";
import type { NodeRecorder } from "./recorder.ts";
import type { Trigger } from "./trigger.ts";

/** How often a pass is made although nothing changed. */
const RESYNC_MS = 30_000;

/** What the loop of a node is made of. */
export interface ControlParts {
  readonly trigger: Trigger;
  readonly lag: Lag;
  readonly source: Source;
  readonly ports: ReconcilePorts;
  readonly recorder: NodeRecorder;
  readonly keys: Pick<NodeKeys, "onSnapshot" | "onPass">;
}

/** The loop of a node. Parts that have to know of a snapshot or a pass are told here. */
export function control({ trigger, lag, source, ports, recorder, keys }: ControlParts): Part {
  let startedAt = 0;
  return {
    name: "the controller",
    run: (signal) =>
      runController({
        trigger,
        ports,
        signal,
        resyncMs: RESYNC_MS,
        snapshot: async () => {
          startedAt = performance.now();
          const snapshot = await source.snapshot();
          if (snapshot === undefined) return undefined;
          recorder.onPassStart();
          keys.onSnapshot(snapshot);
          return snapshot;
        },
        onPass: (pass) => {
          if (isReached(pass)) lag.onReached(startedAt);
          recorder.onPass(pass);
          keys.onPass(pass);
        },
        onError: recorder.onPassError,
      }),
  };
}
