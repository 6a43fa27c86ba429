import { tempDir } from "../../tools/local/temp_dir.ts";
import type { Scenario } from "../support/scenario.ts";

/** Revisions go backwards and the cluster has another id, as etcd's manual wants it after a restore. */
export const scenario: Scenario = {
  name: "etcd_restored",
  fault: "etcd is restored from an older snapshot, as another cluster",
  takes: "short",
  etcd: 3,
  async run(stage) {
    const { members } = stage.etcd;
    await using dir = await tempDir();
    const file = `${dir.path}/snapshot`;
    const then = new Map(stage.origins);
    await stage.etcd.member(0).etcdctl("snapshot", "save", file);
    await stage.unregister("two");
    await stage.register("later");
    await stage.untilRight();
    await stage.fault("every member is killed", async () => {
      await Promise.all(members.map((member) => member.kill()));
    });
    await stage.noticed("etcd is lost", ({ etcd }) => etcd.kind === "lost");
    await stage.over("every member answers, with the registry of then", async () => {
      for (const member of members) await member.restore(file, { token: "restored" });
      await Promise.all(members.map((member) => member.start()));
    });
    stage.registryIs(then);
    await stage.rightAgain();
    await stage.node.untilLine(/cluster id changed/);
  },
};
