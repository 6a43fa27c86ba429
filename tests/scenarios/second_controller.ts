import type { Scenario } from "../support/scenario.ts";

/** It says why and ends; the first one does not even notice. */
export const scenario: Scenario = {
  name: "second_controller",
  fault: "a second controller is started on the same state directory",
  takes: "short",
  etcd: 1,
  async run(stage) {
    const first = stage.node.controller;
    stage.closing.defer(async () => void await first.stop());
    let second = first;
    await stage.fault("it is started", () => void (second = stage.node.start()));
    await stage.noticed("it says why and ends", () => {
      return second.exited?.code === 1 &&
        second.lines.some((line) => line.includes("another controller holds"));
    });
    await stage.over("nothing has to be done");
    await stage.rightAgain();
  },
};
