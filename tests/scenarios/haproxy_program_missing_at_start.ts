import { requireProgram } from "../../tools/local/programs.ts";
import { notReadyWithProblem, startAlive } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** The node waits for the program, as it would for a port. */
export const scenario: Scenario = {
  name: "haproxy_program_missing_at_start",
  fault: "there is no haproxy program when the node starts",
  takes: "short",
  etcd: 1,
  ownStart: true,
  async run(stage) {
    const program = `${stage.node.dir}/bin-haproxy`;
    await startAlive(stage.node, ["--haproxy", program]);
    await stage.fault("the controller lives", () => {});
    await stage.noticed("HAProxy is down, not ready", notReadyWithProblem("haproxy-down", "Cannot find"));
    await stage.over("the program is there", async () => {
      await Deno.symlink(await requireProgram("haproxy"), program);
    });
    await stage.untilRight();
    await stage.startLoad();
    await stage.rightAgain();
  },
};
