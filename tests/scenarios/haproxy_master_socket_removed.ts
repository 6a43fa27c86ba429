import { untilThere } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** The controller reloads by a signal, and the reload recreates the socket. */
export const scenario: Scenario = {
  name: "haproxy_master_socket_removed",
  fault: "the file of HAProxy's master socket is removed",
  takes: "short",
  etcd: 1,
  async run(stage) {
    await stage.fault("the file is removed", () => Deno.remove(stage.node.masterSocket));
    await stage.told("the socket is lost, still ready", "master-socket-lost");
    await stage.over("nothing has to be done");
    await stage.rightAgain();
    await untilThere(stage.node.masterSocket);
  },
};
