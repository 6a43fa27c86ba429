import type { Scenario } from "../support/scenario.ts";

/** A watch cannot continue past a compaction: everything is read again, instead of asking for events that are gone. */
export const scenario: Scenario = {
  name: "etcd_cut_off_and_compacted",
  fault: "the node is cut off from etcd, which changes and compacts its history",
  takes: "short",
  etcd: 3,
  cuttable: true,
  async run(stage) {
    await stage.fault("every cable is cut", () => stage.cables.forEach((cable) => cable.cut()));
    await stage.noticed("etcd is lost", ({ etcd }) => etcd.kind === "lost");
    await stage.unregister("two");
    await stage.register("meanwhile");
    for (let i = 0; i < 5; i++) await stage.etcd.put("/elsewhere", String(i));
    await stage.etcd.etcdctl("compact", String(await stage.etcd.revision()));
    await stage.over("every cable is mended", () => stage.cables.forEach((cable) => cable.mend()));
    await stage.rightAgain();
    await stage.node.untilLine(/registry read .*compacted/);
  },
};
