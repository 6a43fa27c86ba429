import { flood } from "../support/flood.ts";
import type { Scenario } from "../support/scenario.ts";

/** A client writes far too often, for long enough to show anything that piles up. */
export const scenario: Scenario = {
  name: "registry_flood",
  fault: "1,000 changes a second to one service, for 30 s",
  takes: "long",
  etcd: 1,
  nodeArgs: ["--reload-interval", "1s"],
  run: (stage) => flood(stage, { seconds: 30 }),
};
