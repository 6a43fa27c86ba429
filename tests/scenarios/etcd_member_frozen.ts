import type { Scenario } from "../support/scenario.ts";

/** A frozen process says nothing and closes nothing: only time limits tell. */
export const scenario: Scenario = {
  name: "etcd_member_frozen",
  fault: "the etcd member that the node watches is frozen (SIGSTOP)",
  takes: "short",
  etcd: 3,
  async run(stage) {
    const { watched } = await stage.watchedMember();
    const passed = await stage.node.metric("etcd_errors_total");
    await stage.fault(`${watched.name} is frozen`, () => watched.freeze());
    await stage.noticed(
      "the watch has ended",
      async (_, node) => await node.metric("etcd_errors_total") > passed,
    );
    await stage.etcd.leader();
    await stage.register("meanwhile");
    await stage.unregister("two");
    await stage.untilRight();
    await stage.over("the member is resumed", () => watched.resume());
    await stage.rightAgain();
  },
};
