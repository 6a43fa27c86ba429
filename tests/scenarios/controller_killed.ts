import { startAlive } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** HAProxy keeps serving; the next controller adopts it. */
export const scenario: Scenario = {
  name: "controller_killed",
  fault: "the controller is killed (SIGKILL), and started again after a change",
  takes: "short",
  etcd: 1,
  async run(stage) {
    const { controller } = stage.node;
    await stage.fault("the controller is killed", async () => {
      controller.kill("SIGKILL");
      await controller.status;
    });
    await stage.register("meanwhile");
    await stage.unregister("two");
    await stage.over("another one lives", () => startAlive(stage.node));
    await stage.rightAgain();
    const { haproxy } = await stage.node.state();
    if (haproxy.adopted !== true) throw new Error("HAProxy was not adopted");
  },
};
