import type { EtcdCluster } from "../../tools/local/etcd_cluster.ts";
import { pause, waitFor } from "../../tools/local/wait.ts";
import type { Scenario } from "../support/scenario.ts";

const QUOTA_BYTES = 2 * 1024 * 1024;
const LEASE_SECONDS = 3;

/**
 * etcd refuses to put and to grant leases; reads, watches, deletions and the renewal of leases still work. So nothing that is
 * registered may go, and a node notices when it wants to tell what it serves.
 */
export const scenario: Scenario = {
  name: "etcd_out_of_space",
  fault: "etcd is out of space (NOSPACE), for longer than the leases of all servers",
  takes: "short",
  etcd: 3,
  etcdArgs: ["--quota-backend-bytes", String(QUOTA_BYTES)],
  leaseSeconds: LEASE_SECONDS,
  async run(stage) {
    const { etcd } = stage;
    await fill(etcd);
    await stage.fault("etcd refuses to put, and a server leaves", () => stage.unregister("two"));
    await stage.noticed(
      "node keys cannot be written",
      ({ nodeKeys }) => nodeKeys.kind === "failing" && /space exceeded/.test(nodeKeys.reason ?? ""),
    );
    await pause(2 * LEASE_SECONDS * 1_000);
    await stage.node.untilServers("backend", [...stage.origins.keys()]);
    await stage.over("history is compacted, space given back and the alarm taken away", () => makeRoom(etcd));
    await stage.rightAgain();
  },
};

async function fill(etcd: EtcdCluster): Promise<void> {
  const value = "x".repeat(100_000);
  await waitFor("etcd to refuse a write", async () => {
    try {
      await etcd.put("/elsewhere", value);
      return false;
    } catch (error) {
      return String(error).includes("database space exceeded");
    }
  }, { deadlineMs: 60_000, everyMs: 0 });
}

async function makeRoom(etcd: EtcdCluster): Promise<void> {
  await etcd.etcdctl("compact", String(await etcd.revision()));
  for (const member of etcd.members) await member.etcdctl("defrag");
  await etcd.etcdctl("alarm", "disarm");
}
