import { testScenarios } from "../support/scenario_tests.ts";

// Test files run beside each other, the scenarios of one file one after the other.
await testScenarios((name) => !/^(etcd|haproxy)_/.test(name));
