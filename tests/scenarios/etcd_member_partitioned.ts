import type { Scenario } from "../support/scenario.ts";

/** Packets between the node and one member are lost; the member itself is well, and leads etcd perhaps. */
export const scenario: Scenario = {
  name: "etcd_member_partitioned",
  fault: "no packet gets through between the node and the etcd member that it watches",
  takes: "short",
  etcd: 3,
  cuttable: true,
  async run(stage) {
    const { watched } = await stage.watchedMember();
    const cable = stage.cables[stage.etcd.members.indexOf(watched)];
    const passed = await stage.node.metric("etcd_errors_total");
    await stage.fault(`the cable to ${watched.name} is cut`, () => cable?.cut());
    await stage.noticed(
      "the watch has ended",
      async (_, node) => await node.metric("etcd_errors_total") > passed,
    );
    await stage.register("meanwhile");
    await stage.unregister("two");
    await stage.untilRight();
    await stage.over("the cable is mended", () => cable?.mend());
    await stage.rightAgain();
  },
};
