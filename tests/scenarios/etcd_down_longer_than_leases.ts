import { pause } from "../../tools/local/wait.ts";
import type { Scenario } from "../support/scenario.ts";

const LEASE_SECONDS = 2;

/** Every lease would have ended meanwhile, and none could be renewed: that says nothing about the servers. */
export const scenario: Scenario = {
  name: "etcd_down_longer_than_leases",
  fault: "all of etcd is down for twice as long as the leases of all servers",
  takes: "short",
  etcd: 3,
  leaseSeconds: LEASE_SECONDS,
  nodeArgs: ["--guard", "on"],
  async run(stage) {
    const { members } = stage.etcd;
    await stage.fault("every member is killed", async () => {
      await Promise.all(members.map((member) => member.kill()));
    });
    await stage.noticed("etcd is lost", ({ etcd }) => etcd.kind === "lost");
    await pause(2 * LEASE_SECONDS * 1_000);
    await stage.over("every member answers again", async () => {
      await Promise.all(members.map((member) => member.start()));
    });
    await stage.rightAgain();
  },
};
