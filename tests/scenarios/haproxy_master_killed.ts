import { haproxyPids } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** Its worker ends with it; the controller starts both again, from the file on disk. */
export const scenario: Scenario = {
  name: "haproxy_master_killed",
  fault: "HAProxy's master is killed (SIGKILL)",
  takes: "short",
  etcd: 1,
  mayFail: "no process listens until the restart",
  async run(stage) {
    const { master } = await haproxyPids(stage.node);
    await stage.fault("the master is killed", () => Deno.kill(master, "SIGKILL"));
    await stage.noticed("HAProxy's end is counted", async (_, node) => {
      return await node.metric("ends_total") === 1;
    });
    await stage.over("nothing has to be done");
    await stage.rightAgain();
  },
};
