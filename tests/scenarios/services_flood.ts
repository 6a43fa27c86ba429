import { flood } from "../support/flood.ts";
import type { Scenario } from "../support/scenario.ts";

/** Services that come and go need a reload each time; changes of the others must be followed all the same. */
export const scenario: Scenario = {
  name: "services_flood",
  fault: "1,000 changes a second that make and remove services, for 30 s",
  takes: "long",
  etcd: 1,
  nodeArgs: ["--reload-interval", "1s"],
  run: (stage) => flood(stage, { seconds: 30, place: (server) => `flood-${server}/only` }),
};
