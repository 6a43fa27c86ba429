import { waitFor } from "../support/mod.ts";
import type { Scenario } from "../support/scenario.ts";

/** Keys outlive their servers in most faults; here the servers outlive their keys. */
export const scenario: Scenario = {
  name: "registrations_vanish",
  fault: "all registrations of a service end, one lease after the other; the servers live",
  takes: "short",
  etcd: 1,
  origins: 4,
  nodes: 2,
  nodeArgs: ["--guard", "on"],
  run: async (stage) => {
    const { etcd } = stage;
    const keys = [...stage.origins].map(([id, { address }]) => ({ key: `/services/backend/${id}`, address }));
    for (const [at, { key, address }] of keys.entries()) {
      const lease = (await etcd.etcdctl("lease", "grant", String(2 + at))).split(" ")[1] ?? "";
      await etcd.etcdctl("put", `--lease=${lease}`, key, address);
    }
    const untilLeft = async (most: number) => {
      await waitFor(`${most} keys`, async () => {
        return (await etcd.getAll("/services/")).length <= most;
      });
    };
    // Half of a service may go unnoticed.
    await untilLeft(2);
    await stage.fault("the leases of more than half end without renewal", () => untilLeft(1));
    await stage.noticed("held servers in the state", ({ held }) => held.length > 0);
    await untilLeft(0);
    await stage.over("registered again", async () => {
      for (const { key, address } of keys) await etcd.put(key, address);
    });
    await stage.rightAgain();
  },
};
