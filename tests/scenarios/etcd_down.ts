import type { Scenario } from "../support/scenario.ts";

/** The registry is away altogether: what is served stays, and what is written afterwards is followed. */
export const scenario: Scenario = {
  name: "etcd_down",
  fault: "all of etcd is killed, and started again",
  takes: "short",
  etcd: 3,
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
