import type { Scenario } from "../support/scenario.ts";

/** Two members work again once they have elected another leader; a change that was made meanwhile is served. */
export const scenario: Scenario = {
  name: "etcd_leader_killed",
  fault: "etcd's leader is killed, and the two other members elect another",
  takes: "short",
  etcd: 3,
  nodes: 2,
  async run(stage) {
    const leader = await stage.etcd.leader();
    await stage.fault(`${leader.name} is killed`, () => leader.kill());
    await stage.etcd.leader();
    await stage.register("meanwhile");
    await stage.unregister("two");
    await stage.untilRight();
    await stage.over("the member is back", () => leader.start());
    await stage.rightAgain();
  },
};
