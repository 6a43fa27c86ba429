import { ownConfigDir, readyWithProblem, startNode } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** As above, for a directory that is not even there: every pass fails, and HAProxy keeps serving. */
export const scenario: Scenario = {
  name: "config_dir_gone",
  fault: "a file takes the place of the directory of haproxy.cfg",
  takes: "short",
  etcd: 1,
  ownStart: true,
  async run(stage) {
    const { dir, args } = await ownConfigDir(stage.node);
    await startNode(stage, args);
    await stage.fault("the directory is moved away, and a server comes", async () => {
      await Deno.rename(dir, `${dir}.away`);
      await Deno.writeTextFile(dir, "");
      await stage.register("meanwhile");
    });
    await stage.noticed("passes fail, still ready", readyWithProblem("pass-failed", "Cannot read"));
    await stage.over("the directory is back", async () => {
      await Deno.remove(dir);
      await Deno.rename(`${dir}.away`, dir);
    });
    await stage.rightAgain();
  },
};
