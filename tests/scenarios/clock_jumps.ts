import { fileURLToPath } from "node:url";
import type { Scenario } from "../support/scenario.ts";

/** Inside, only monotonic time counts: the wall clock shows in what is told, and nowhere else. */
export const scenario: Scenario = {
  name: "clock_jumps",
  fault: "the wall clock jumps an hour forwards, and two backwards",
  takes: "short",
  etcd: 1,
  leaseSeconds: 10,
  ownStart: true,
  async run(stage) {
    const { node } = stage;
    node.start({ program: JUMPING_CLOCK });
    await stage.untilRight();
    await stage.startLoad();
    await stage.fault("an hour forwards", () => node.controller.kill("SIGUSR1"));
    await stage.noticed("the clock is another", (_, { controller }) => hasJumped(controller.lines));
    await stage.register("forwards");
    await stage.unregister("two");
    await stage.untilRight();
    await stage.over("two hours backwards", () => node.controller.kill("SIGUSR2"));
    await stage.unregister("forwards");
    await stage.rightAgain();
  },
};

const JUMPING_CLOCK = fileURLToPath(new URL("../support/jumping_clock.ts", import.meta.url));

function hasJumped(lines: readonly string[]): boolean {
  return lines.some((line) => line.includes("the clock jumps"));
}
