import type { Scenario } from "../support/scenario.ts";

const LEASE_SECONDS = 5;

/** etcd reports, rightly, that no server is registered; the servers register again within a third of their leases. */
export const scenario: Scenario = {
  name: "etcd_lost_all_data",
  fault: "etcd comes back without any data, and all servers have to register again",
  takes: "short",
  etcd: 3,
  origins: 4,
  leaseSeconds: LEASE_SECONDS,
  nodeArgs: ["--guard", "on"],
  async run(stage) {
    const { members } = stage.etcd;
    await stage.fault("every member is killed", async () => {
      await Promise.all(members.map((member) => member.kill()));
    });
    await stage.noticed("etcd is lost", ({ etcd }) => etcd.kind === "lost");
    await stage.over("every member answers, and is empty", async () => {
      await Promise.all(members.map((member) => member.wipe()));
      await Promise.all(members.map((member) => member.start()));
    });
    await stage.rightAgain();
  },
};
