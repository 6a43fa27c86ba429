import { fillDisk, mount, ownConfigDir, readyWithProblem, startNode } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** Neither file nor HAProxy is changed by half. */
export const scenario: Scenario = {
  name: "config_disk_full",
  fault: "the disk of haproxy.cfg is full",
  takes: "short",
  needs: ["tmpfs"],
  etcd: 1,
  ownStart: true,
  async run(stage) {
    const { dir, args } = await ownConfigDir(stage.node);
    await mount(stage, ["-t", "tmpfs", "-o", "size=64k", "tmpfs", dir]);
    await startNode(stage, args);
    await stage.fault("the disk is full, and a server comes", async () => {
      await fillDisk(`${dir}/filler`);
      await stage.register("meanwhile");
    });
    await stage.noticed(
      "the change is not applied, still ready",
      readyWithProblem("not-applied", "No space left"),
    );
    await stage.over("there is room", () => Deno.remove(`${dir}/filler`));
    await stage.rightAgain();
  },
};
