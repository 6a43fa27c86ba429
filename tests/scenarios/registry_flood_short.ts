import { flood } from "../support/flood.ts";
import type { Scenario } from "../support/scenario.ts";

/** A client writes far too often, for a moment. */
export const scenario: Scenario = {
  name: "registry_flood_short",
  fault: "1,000 changes a second to one service, for 5 s",
  takes: "short",
  etcd: 1,
  nodeArgs: ["--reload-interval", "1s"],
  run: (stage) => flood(stage, { seconds: 5 }),
};
