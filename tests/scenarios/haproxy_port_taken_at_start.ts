import { notReadyWithProblem, startAlive } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** HAProxy says so and ends; it is started again until the port is free. */
export const scenario: Scenario = {
  name: "haproxy_port_taken_at_start",
  fault: "another process holds the port when the node starts",
  takes: "short",
  etcd: 1,
  ownStart: true,
  async run(stage) {
    const other = Deno.listen({ hostname: "127.0.0.1", port: stage.node.port });
    await startAlive(stage.node);
    await stage.fault("the controller lives", () => {});
    await stage.noticed(
      "HAProxy is down, not ready",
      notReadyWithProblem("haproxy-down", "cannot bind socket"),
    );
    await stage.over("the port is free", () => other.close());
    await stage.untilRight();
    await stage.startLoad();
    await stage.rightAgain();
  },
};
