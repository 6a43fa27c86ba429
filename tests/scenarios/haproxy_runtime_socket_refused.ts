import { leaveSocket } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** The socket file is there, but no process listens on it. The worker is alive: it answers through its master. */
export const scenario: Scenario = {
  name: "haproxy_runtime_socket_refused",
  fault: "the runtime socket refuses connections",
  takes: "short",
  etcd: 1,
  async run(stage) {
    const { runtimeSocket: path } = stage.node;
    await stage.fault("it is replaced by a socket without a listener", async () => {
      await Deno.remove(path);
      await leaveSocket(path);
    });
    await stage.told("the socket is lost, still ready", "runtime-socket-lost");
    await stage.over("nothing has to be done");
    await stage.rightAgain();
  },
};
