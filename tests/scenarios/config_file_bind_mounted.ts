import { mount, readyWithProblem } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** A file that is a mount point of its own cannot be renamed over; the message says what to do. */
export const scenario: Scenario = {
  name: "config_file_bind_mounted",
  fault: "haproxy.cfg itself is a mount point (a single file, bind-mounted)",
  takes: "short",
  needs: ["mount"],
  etcd: 1,
  async run(stage) {
    const { configPath } = stage.node;
    let mounted = { unmount: () => Promise.resolve() };
    await stage.fault("the file is mounted on itself, and a server comes", async () => {
      mounted = await mount(stage, ["--bind", configPath, configPath]);
      await stage.register("meanwhile");
    });
    await stage.noticed(
      "the change is not applied, still ready",
      readyWithProblem("not-applied", "mount its directory instead"),
    );
    await stage.over("the mount is gone", () => mounted.unmount());
    await stage.rightAgain();
  },
};
