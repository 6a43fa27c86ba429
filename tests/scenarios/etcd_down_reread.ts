import type { Scenario } from "../support/scenario.ts";

/** A read that fails must not be the last one: the node tries again until it has followed. */
export const scenario: Scenario = {
  name: "etcd_down_reread",
  fault: "all of etcd is killed, and started again, with --source reread",
  takes: "short",
  etcd: 3,
  nodeArgs: ["--source", "reread"],
  async run(stage) {
    const { members } = stage.etcd;
    await stage.fault("every member is killed", async () => {
      await Promise.all(members.map((member) => member.kill()));
    });
    await stage.noticed("etcd is lost", ({ etcd }) => etcd.kind === "lost");
    await stage.over("every member answers again", async () => {
      await Promise.all(members.map((member) => member.start()));
    });
    await stage.unregister("two");
    await stage.rightAgain();
  },
};
