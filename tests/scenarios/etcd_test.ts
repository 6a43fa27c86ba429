import { testScenarios } from "../support/scenario_tests.ts";

await testScenarios((name) => name.startsWith("etcd_"));
