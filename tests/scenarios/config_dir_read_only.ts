import { mount, ownConfigDir, readyWithProblem, runOk, startNode } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** The file is written before HAProxy is told, so nothing is told. */
export const scenario: Scenario = {
  name: "config_dir_read_only",
  fault: "the directory of haproxy.cfg cannot be written",
  takes: "short",
  needs: ["mount"],
  etcd: 1,
  ownStart: true,
  async run(stage) {
    const { dir, args } = await ownConfigDir(stage.node);
    await startNode(stage, args);
    let mounted = { unmount: () => Promise.resolve() };
    await stage.fault("the directory is read-only, and a server comes", async () => {
      mounted = await mount(stage, ["--bind", dir, dir]);
      await runOk("mount", ["-o", "remount,bind,ro", dir]);
      await stage.register("meanwhile");
    });
    await stage.noticed(
      "the change is not applied, still ready",
      readyWithProblem("not-applied", "Cannot write"),
    );
    await stage.over("it can be written", () => mounted.unmount());
    await stage.rightAgain();
  },
};
