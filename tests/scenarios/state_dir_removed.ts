import { assertEquals } from "@std/assert";
import { untilThere } from "../support/haproxy_faults.ts";
import type { Scenario } from "../support/scenario.ts";

const KEPT = ["idle-limit", "instance", "last-good.cfg", "lock", "started-with"];

/** The controller restores the directory with all that the next run needs, then HAProxy's sockets by a reload. */
export const scenario: Scenario = {
  name: "state_dir_removed",
  fault: "--state-dir is removed with all that is in it",
  takes: "short",
  etcd: 1,
  async run(stage) {
    const { node } = stage;
    const dir = `${node.dir}/state`;
    const instance = await Deno.readTextFile(`${dir}/instance`);
    await stage.fault("the directory is removed", async () => {
      // At once: the controller makes it again while it is being removed file by file.
      await Deno.rename(dir, `${dir}.away`);
      await Deno.remove(`${dir}.away`, { recursive: true });
    });
    await stage.told("the sockets are lost, still ready", "master-socket-lost");
    await stage.over("nothing has to be done");
    await stage.rightAgain();

    for (const name of KEPT) await untilThere(`${dir}/${name}`);
    assertEquals(((await Deno.stat(dir)).mode ?? 0) & 0o777, 0o700);
    assertEquals(await Deno.readTextFile(`${dir}/instance`), instance);
    await node.untilLine(/state directory/);
    assertEquals(node.controller.lines.filter((line) => line.includes("state directory")).length, 1);

    node.controller.kill("SIGKILL");
    await node.controller.status;
    node.start();
    await stage.untilRight();
    assertEquals((await node.state()).haproxy.adopted, true);
  },
};
