import { assert } from "@std/assert";
import type { Scenario } from "../support/scenario.ts";

/** What the last run left is better than nothing: it is served at once, and called stale until etcd was read. */
export const scenario: Scenario = {
  name: "etcd_down_at_boot",
  fault: "a node that has served before starts while all of etcd is down",
  takes: "short",
  etcd: 3,
  async run(stage) {
    const { members } = stage.etcd;
    await stage.stopLoad();
    await stage.node.controller.stop({ deadlineMs: 15_000 });
    await Promise.all(members.map((member) => member.kill()));
    await stage.fault("the node starts", () => void stage.node.start());
    await stage.noticed(
      "the node serves, and says that it is stale",
      ({ readiness, etcd }) => readiness.ready && readiness.stale === true && etcd.kind === "lost",
    );
    assert(await stage.node.metric("stale_age_seconds") > 0);
    await stage.startLoad();
    await stage.over("every member answers again", async () => {
      await Promise.all(members.map((member) => member.start()));
    });
    await stage.unregister("two");
    await stage.rightAgain();
  },
};
