import type { Scenario } from "../support/scenario.ts";

/** The member that is left answers, but knows nothing for sure: it must not pass for etcd. */
export const scenario: Scenario = {
  name: "etcd_no_quorum",
  fault: "two of three etcd members are killed, and the node is left with one that has no quorum",
  takes: "short",
  etcd: 3,
  async run(stage) {
    const { others } = await stage.watchedMember();
    await stage.fault("the two members that the node does not watch are killed", async () => {
      await Promise.all(others.map((member) => member.kill()));
    });
    await stage.noticed("etcd is lost", ({ etcd }) => etcd.kind === "lost");
    await stage.over("all three answer again", async () => {
      await Promise.all(others.map((member) => member.start()));
    });
    await stage.unregister("two");
    await stage.rightAgain();
  },
};
