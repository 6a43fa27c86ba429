import { makeHaproxyTalk } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** HAProxy writes to a file, so it does not wait for a reader. */
export const scenario: Scenario = {
  name: "controller_frozen_haproxy_talks",
  fault: "the controller is frozen (SIGSTOP), HAProxy writes 200 kB to stderr",
  takes: "short",
  etcd: 1,
  async run(stage) {
    const { controller } = stage.node;
    await stage.fault("the controller is frozen, and HAProxy talks", async () => {
      controller.freeze();
      await makeHaproxyTalk(stage.node, "backend/two");
    });
    stage.load.mark("HAProxy has talked");
    for (const name of ["one", "two"]) await stage.load.firstAnswerFrom(name);
    await stage.over("it continues", () => controller.resume());
    await stage.rightAgain();
  },
};
