import { freeze, haproxyPids, readyWithProblem } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** The worker keeps serving and is changed through its own socket; only reloads have to wait. */
export const scenario: Scenario = {
  name: "haproxy_master_frozen",
  fault: "HAProxy's master is frozen (SIGSTOP)",
  takes: "short",
  etcd: 1,
  async run(stage) {
    const { master } = await haproxyPids(stage.node);
    let frozen = { goOn: () => {} };
    await stage.fault("the master is frozen", () => void (frozen = freeze(stage, master)));
    await stage.noticed("the master is stuck, still ready", readyWithProblem("master-stuck"));
    await stage.register("meanwhile");
    await stage.untilRight();
    await stage.over("the master continues", () => frozen.goOn());
    await stage.rightAgain();
  },
};
