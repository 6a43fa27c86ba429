import { pause } from "../../tools/local/wait.ts";
import type { Scenario } from "../support/scenario.ts";

const LEASE_SECONDS = 10;

/** Long enough for every back-off to have reached its longest wait, and for every lease to have ended six times. */
export const scenario: Scenario = {
  name: "etcd_down_for_a_minute",
  fault: "all of etcd is down for a minute, six times as long as the leases of all servers",
  takes: "long",
  etcd: 3,
  nodes: 2,
  leaseSeconds: LEASE_SECONDS,
  nodeArgs: ["--guard", "on"],
  async run(stage) {
    const { members } = stage.etcd;
    await stage.fault("every member is killed", async () => {
      await Promise.all(members.map((member) => member.kill()));
    });
    await stage.noticed("etcd is lost", ({ etcd }) => etcd.kind === "lost");
    await pause(60_000);
    await stage.over("every member answers again", async () => {
      await Promise.all(members.map((member) => member.start()));
    });
    await stage.rightAgain();
  },
};
