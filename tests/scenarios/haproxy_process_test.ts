import { testScenarios } from "../support/scenario_tests.ts";

await testScenarios("haproxy_process");
