import { hasProblem, readyWithProblem } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** It cannot be made again until the file is away. HAProxy would end in a reload, so none is tried. */
export const scenario: Scenario = {
  name: "state_dir_gone",
  fault: "a file takes the place of --state-dir",
  takes: "short",
  etcd: 1,
  async run(stage) {
    const dir = `${stage.node.dir}/state`;
    await stage.fault("the directory is removed, and a server comes", async () => {
      // The controller must not make it again in between.
      stage.node.controller.freeze();
      await Deno.remove(dir, { recursive: true });
      await Deno.writeTextFile(dir, "");
      stage.node.controller.resume();
      await stage.register("meanwhile");
    });
    await stage.noticed("the directory is lost, still ready", readyWithProblem("state-dir-lost", dir));
    await stage.node.untilState("changes that are put off", hasProblem("not-applied"));
    await stage.over("the file is away", () => Deno.remove(dir));
    await stage.rightAgain();
  },
};
