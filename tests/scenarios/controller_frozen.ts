import { pause } from "../../tools/local/wait.ts";
import type { Scenario } from "../support/scenario.ts";

/** When it continues, its connections may be dead, and all its timers are due at once. */
export const scenario: Scenario = {
  name: "controller_frozen",
  fault: "the controller is frozen (SIGSTOP) for 30 s, while servers change",
  takes: "long",
  etcd: 3,
  leaseSeconds: 10,
  async run(stage) {
    const { controller } = stage.node;
    await stage.fault("the controller is frozen", () => controller.freeze());
    await stage.register("meanwhile");
    await stage.unregister("two");
    await pause(30_000);
    await stage.over("it continues", () => controller.resume());
    await stage.rightAgain();
  },
};
