import { leaveSocket } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** Somebody stood behind the path and has gone: the file is there, and the worker lives, as its master can tell. */
export const scenario: Scenario = {
  name: "haproxy_runtime_socket_refused",
  fault: "the runtime socket refuses connections",
  takes: "short",
  etcd: 1,
  async run(stage) {
    const { runtimeSocket: path } = stage.node;
    await stage.fault("a socket that nobody listens on stands in its place", async () => {
      await Deno.remove(path);
      await leaveSocket(path);
    });
    await stage.told("the socket is lost, still ready", "runtime-socket-lost");
    await stage.over("nothing has to be done");
    await stage.rightAgain();
  },
};
