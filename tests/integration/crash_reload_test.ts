import { testCrashes } from "../support/crash_tests.ts";

testCrashes("reload");
