import type { Scenario } from "../support/scenario.ts";

/** Another process listens on the path. The worker answers through its master and gets its own socket again. */
export const scenario: Scenario = {
  name: "haproxy_runtime_socket_silent",
  fault: "the runtime socket accepts connections and does not answer",
  takes: "short",
  etcd: 1,
  async run(stage) {
    const { runtimeSocket: path } = stage.node;
    await stage.fault("it is replaced by a silent socket", async () => {
      await Deno.remove(path);
      const listener = Deno.listen({ transport: "unix", path });
      stage.closing.defer(() => listener.close());
    });
    await stage.told("the socket is lost, still ready", "runtime-socket-lost");
    await stage.over("nothing has to be done");
    await stage.rightAgain();
  },
};
