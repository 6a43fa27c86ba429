import { haproxyPids } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** A worker that dies takes its master along: HAProxy is up as a whole or gone as a whole. */
export const scenario: Scenario = {
  name: "haproxy_worker_killed",
  fault: "HAProxy's worker is killed (SIGKILL)",
  takes: "short",
  etcd: 1,
  mayFail: "no process listens until the restart",
  async run(stage) {
    const { worker } = await haproxyPids(stage.node);
    await stage.fault("the worker is killed", () => Deno.kill(worker, "SIGKILL"));
    await stage.noticed("HAProxy's end is counted", async (_, node) => {
      return await node.metric("ends_total") === 1;
    });
    await stage.over("nothing has to be done");
    await stage.rightAgain();
  },
};
