import { pause } from "../../tools/local/wait.ts";
import type { Scenario } from "../support/scenario.ts";

const LEASE_SECONDS = 2;

/** Connections stay open and nothing is answered, as with a stuck hypervisor; leases end while etcd is frozen. */
export const scenario: Scenario = {
  name: "etcd_frozen",
  fault: "all of etcd is frozen (SIGSTOP) for twice as long as the leases of all servers",
  takes: "short",
  etcd: 3,
  leaseSeconds: LEASE_SECONDS,
  nodeArgs: ["--guard", "on"],
  async run(stage) {
    const { members } = stage.etcd;
    await stage.fault("every member is frozen", () => members.forEach((member) => member.freeze()));
    await stage.noticed("etcd is lost", ({ etcd }) => etcd.kind === "lost");
    await pause(2 * LEASE_SECONDS * 1_000);
    await stage.over("every member is resumed", () => members.forEach((member) => member.resume()));
    await stage.rightAgain();
  },
};
