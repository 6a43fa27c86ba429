import { readyWithProblem, startWithTemplate } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** `haproxy -c` refuses it: the last good base stays, and servers come and go in it. */
export const scenario: Scenario = {
  name: "haproxy_base_refused",
  fault: "the template is changed to something that HAProxy refuses",
  takes: "short",
  etcd: 1,
  ownStart: true,
  async run(stage) {
    const template = await startWithTemplate(stage);
    await stage.fault("a bad line is written", () => template.append("backend x\n    bogus"));
    await stage.noticed("the base is refused, still ready", readyWithProblem("base-refused", "bogus"));
    await stage.register("meanwhile");
    await stage.untilRight();
    await stage.over("the template is mended", () => template.append(""));
    await stage.rightAgain();
  },
};
