import { fillDisk, makeHaproxyTalk, mount, readyWithProblem, startNode } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** Only the last good copy cannot be kept, and what HAProxy says: servers come and go all the same. */
export const scenario: Scenario = {
  name: "state_disk_full",
  fault: "the disk of --state-dir is full",
  takes: "short",
  needs: ["tmpfs"],
  etcd: 1,
  ownStart: true,
  async run(stage) {
    const dir = `${stage.node.dir}/state`;
    await Deno.mkdir(dir);
    await mount(stage, ["-t", "tmpfs", "-o", "size=64k", "tmpfs", dir]);
    await startNode(stage, []);
    await stage.fault("the disk is full, and a server comes", async () => {
      await fillDisk(`${dir}/filler`);
      await stage.register("meanwhile");
    });
    await stage.noticed(
      "the copy is not kept, still ready",
      readyWithProblem("last-good-not-kept", "No space left"),
    );
    await makeHaproxyTalk(stage.node, "backend/two");
    await stage.untilRight();
    await stage.over("there is room", () => Deno.remove(`${dir}/filler`));
    await stage.rightAgain();
  },
};
