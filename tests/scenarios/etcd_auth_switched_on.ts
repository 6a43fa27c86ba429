import type { Scenario } from "../support/scenario.ts";

/** etcd keeps the watch, and refuses all other calls: the node follows, and reports that it could not come back. */
export const scenario: Scenario = {
  name: "etcd_auth_switched_on",
  fault: "authentication is switched on in etcd, and the node has no credentials",
  takes: "short",
  etcd: 3,
  async run(stage) {
    const { etcd } = stage;
    await etcd.etcdctl("user", "add", "root:secret");
    await etcd.etcdctl("user", "grant-role", "root", "root");
    await stage.fault("authentication is switched on", async () => void await etcd.etcdctl("auth", "enable"));
    await stage.noticed(
      "etcd refuses reads",
      ({ etcd }) => etcd.kind === "watching" && /user name|authentication/.test(etcd.readsRefused ?? ""),
    );
    await stage.node.untilLine(/etcd refuses reads, the watch still works/);
    const { watched } = await stage.watchedMember();
    await watched.kill();
    await stage.node.untilState(
      "etcd is lost",
      ({ etcd }) => etcd.kind === "lost" && /user name|authentication/.test(etcd.reason ?? ""),
    );
    await watched.start();
    await stage.over("authentication is switched off", async () => {
      await etcd.etcdctl("--user", "root:secret", "auth", "disable");
    });
    await stage.unregister("two");
    await stage.rightAgain();
  },
};
