import { freeze, haproxyPids, notReadyWithProblem } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** It accepts connections and does not answer. Ending it would lose them; when it continues, it answers them. */
export const scenario: Scenario = {
  name: "haproxy_worker_frozen",
  fault: "HAProxy's worker is frozen (SIGSTOP)",
  takes: "short",
  etcd: 1,
  mayFail: "running requests may reach their time limits meanwhile",
  async run(stage) {
    const { worker } = await haproxyPids(stage.node);
    let frozen = { goOn: () => {} };
    await stage.fault("the worker is frozen", () => void (frozen = freeze(stage, worker)));
    await stage.noticed("the worker is stuck, not ready", notReadyWithProblem("worker-stuck"));
    await stage.register("meanwhile");
    await stage.unregister("two");
    await stage.over("the worker continues", () => frozen.goOn());
    await stage.rightAgain();
  },
};
