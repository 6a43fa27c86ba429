import { pickPort } from "../../tools/local/ports.ts";
import { readyWithProblem, startWithTemplate } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

/** A reload would fail late and refuse clients meanwhile, so it is not even tried; the port may be free at any moment. */
export const scenario: Scenario = {
  name: "haproxy_port_taken_for_reload",
  fault: "the template asks for a port that another process holds",
  takes: "short",
  etcd: 1,
  ownStart: true,
  async run(stage) {
    const template = await startWithTemplate(stage);
    const port = pickPort();
    const other = Deno.listen({ hostname: "127.0.0.1", port });
    await stage.fault("the port is asked for", () => {
      return template.append(`frontend x\n    bind 127.0.0.1:${port}\n    http-request return status 200`);
    });
    await stage.noticed("the base waits, still ready", readyWithProblem("base-refused", "in use"));
    await stage.register("meanwhile");
    await stage.untilRight();
    if (await stage.node.metric('reloads_total{result="failed"}') > 0) throw new Error("A reload was tried");
    await stage.over("the port is free", () => other.close());
    await stage.rightAgain();
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    await answer.body?.cancel();
  },
};
