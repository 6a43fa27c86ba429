import { assertEquals } from "@std/assert";
import type { Scenario } from "../support/scenario.ts";

/** Nothing is known, so nothing can be served; but the node is there, says so, and needs no second start. */
export const scenario: Scenario = {
  name: "etcd_down_at_first_boot",
  fault: "a node that has never served starts while all of etcd is down",
  takes: "short",
  etcd: 3,
  ownStart: true,
  async run(stage) {
    const { members } = stage.etcd;
    await Promise.all(members.map((member) => member.kill()));
    await stage.fault("the node starts", () => void stage.node.start());
    await stage.noticed(
      "the node is not ready",
      ({ readiness, etcd, haproxy }) => !readiness.ready && etcd.kind === "lost" && haproxy.kind === "up",
    );
    assertEquals(await stage.node.ready(), false);
    assertEquals((await stage.node.request()).status, 503);
    await stage.over("every member answers again", async () => {
      await Promise.all(members.map((member) => member.start()));
    });
    await stage.untilRight();
    await stage.startLoad();
    await stage.rightAgain();
  },
};
