import type { Scenario } from "../support/scenario.ts";

/** A worker does not recreate its socket, and a reload passes the dead one on: the path needs another spelling. */
export const scenario: Scenario = {
  name: "haproxy_runtime_socket_removed",
  fault: "the file of HAProxy's runtime socket is removed",
  takes: "short",
  etcd: 1,
  async run(stage) {
    await stage.fault("the file is removed", () => Deno.remove(stage.node.runtimeSocket));
    await stage.told("the socket is lost, still ready", "runtime-socket-lost");
    await stage.over("nothing has to be done");
    await stage.rightAgain();
  },
};
