import { assertEquals } from "@std/assert";
import { tempDir } from "../../tools/local/temp_dir.ts";
import type { Scenario } from "../support/scenario.ts";

/**
 * With etcdctl's default token the cluster id stays, and once others have written enough, its revisions look as if nothing
 * had happened: a watch continues where it was, in another history. The size of the registry is the same in both.
 */
export const scenario: Scenario = {
  name: "etcd_restored_under_its_id",
  fault: "an older snapshot of etcd is restored under its old id, and written to",
  takes: "short",
  etcd: 3,
  cuttable: true,
  async run(stage) {
    const { members } = stage.etcd;
    await using dir = await tempDir();
    const file = `${dir.path}/snapshot`;
    const then = new Map(stage.origins);
    await stage.etcd.member(0).etcdctl("snapshot", "save", file);
    await stage.unregister("two");
    await stage.register("later");
    await stage.untilRight();
    const reached = await stage.etcd.revision();
    await stage.fault("every cable is cut, and every member killed", async () => {
      stage.cables.forEach((cable) => cable.cut());
      await Promise.all(members.map((member) => member.kill()));
    });
    await stage.noticed("etcd is lost", ({ etcd }) => etcd.kind === "lost");
    for (const member of members) await member.restore(file, { token: "etcd-cluster" });
    await Promise.all(members.map((member) => member.start()));
    while (await stage.etcd.revision() <= reached) await stage.etcd.put("/elsewhere", "x");
    await stage.over("every cable is mended", () => stage.cables.forEach((cable) => cable.mend()));
    stage.registryIs(then);
    await stage.rightAgain();
    assertEquals(await stage.node.metric("mirror_wrong_total"), 1);
  },
};
