import type { Scenario } from "../support/scenario.ts";

/** The watch breaks and continues at another member; two of three members are enough for etcd. */
export const scenario: Scenario = {
  name: "etcd_member_killed",
  fault: "the etcd member that the node watches is killed",
  takes: "short",
  etcd: 3,
  async run(stage) {
    const { watched } = await stage.watchedMember();
    const passed = await stage.node.metric("etcd_errors_total");
    await stage.fault(`${watched.name} is killed`, () => watched.kill());
    await stage.noticed(
      "the watch has ended",
      async (_, node) => await node.metric("etcd_errors_total") > passed,
    );
    await stage.etcd.leader();
    await stage.register("meanwhile");
    await stage.unregister("two");
    await stage.untilRight();
    await stage.over("the member is back", () => watched.start());
    await stage.rightAgain();
  },
};
