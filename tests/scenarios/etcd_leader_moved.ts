import type { Scenario } from "../support/scenario.ts";

/** A leader that hands over leaves no gap, so there is nothing to notice; but everything must continue. */
export const scenario: Scenario = {
  name: "etcd_leader_moved",
  fault: "etcd's leader hands over to another member three times",
  takes: "short",
  etcd: 3,
  async run(stage) {
    await stage.fault("the leader moves", async () => {
      for (let round = 0; round < 3; round++) {
        const leader = await stage.etcd.leader();
        const next = stage.etcd.members.find((member) => member !== leader);
        if (next === undefined) throw new Error("Cannot move the leader: there is one member only");
        await leader.etcdctl("move-leader", (await next.status()).id);
        await stage.register(`round${round}`);
      }
    });
    await stage.unregister("two");
    await stage.over("the last leader stays");
    await stage.rightAgain();
  },
};
