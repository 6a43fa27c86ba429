import { requireProgram } from "../../tools/local/programs.ts";
import { readyWithProblem, startWithTemplate } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** A package is being replaced: changes without a check are still made at run time, a reload waits. */
export const scenario: Scenario = {
  name: "haproxy_program_vanishes",
  fault: "the haproxy program is removed while the node runs, and a reload is due",
  takes: "short",
  etcd: 1,
  ownStart: true,
  async run(stage) {
    const program = `${stage.node.dir}/bin-haproxy`;
    const real = await requireProgram("haproxy");
    await Deno.symlink(real, program);
    const template = await startWithTemplate(stage, ["--haproxy", program]);
    await stage.fault("the program is removed", async () => {
      await Deno.remove(program);
      await template.append("backend x");
    });
    await stage.noticed(
      "the reload is not applied, still ready",
      readyWithProblem("not-applied", "Cannot find"),
    );
    await stage.over("the program is back", () => Deno.symlink(real, program));
    await stage.rightAgain();
  },
};
