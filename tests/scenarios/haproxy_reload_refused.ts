import { readyWithProblem, startWithTemplate } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** `haproxy -c` accepts it, but the new worker cannot start: the old one keeps serving, and its file is restored. */
export const scenario: Scenario = {
  name: "haproxy_reload_refused",
  fault: "HAProxy refuses to reload a template that passed its check",
  takes: "short",
  etcd: 1,
  ownStart: true,
  async run(stage) {
    const template = await startWithTemplate(stage);
    const nowhere = `${stage.node.dir}/nowhere/x.sock`;
    await stage.fault("a socket in no directory is asked for", () => {
      return template.append(`frontend x\n    bind unix@${nowhere}`);
    });
    await stage.noticed("the base is refused, still ready", readyWithProblem("base-refused"));
    await stage.register("meanwhile");
    await stage.untilRight();
    await stage.over("the template is mended", () => template.append(""));
    await stage.rightAgain();
  },
};
