import type { Scenario } from "../support/scenario.ts";

/** A member that neither the node nor the other members can reach any more; connections to it just get no answer. */
export const scenario: Scenario = {
  name: "etcd_member_unplugged",
  fault: "the network of the etcd member that the node watches is gone (network namespace)",
  takes: "short",
  needs: ["netns"],
  etcd: 3,
  namespaced: true,
  async run(stage) {
    const unplugged = stage.etcd.member(2);
    await stage.watchOn(unplugged);
    const passed = await stage.node.metric("etcd_errors_total");
    await stage.fault(`the cable of ${unplugged.name} is cut`, () => stage.namespace.cut());
    await stage.noticed(
      "the watch has ended",
      async (_, node) => await node.metric("etcd_errors_total") > passed,
    );
    await stage.register("meanwhile");
    await stage.unregister("two");
    await stage.untilRight();
    await stage.over("the cable is mended", () => stage.namespace.mend());
    await stage.rightAgain();
  },
};
