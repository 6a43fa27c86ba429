import { assertEquals } from "@std/assert";
import { groupOf, SCENARIO_GROUPS } from "../../support/scenario_groups.ts";
import { listScenarios } from "../../support/scenario_list.ts";

Deno.test("every group of scenarios has a test file, and every test file a group", async () => {
  const folder = new URL("../../scenarios/", import.meta.url);
  const files = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name)
    .filter((name) => name.endsWith("_test.ts"));
  assertEquals(files.sort(), SCENARIO_GROUPS.map((group) => `${group}_test.ts`).sort());
});

Deno.test("every group has a scenario, and groupOf() takes the first that fits", async () => {
  const groups = new Set((await listScenarios()).map(({ name }) => groupOf(name)));
  assertEquals([...groups].sort(), [...SCENARIO_GROUPS].sort());
  assertEquals([groupOf("etcd_down_at_boot"), groupOf("etcd_frozen")], ["etcd_down", "etcd"]);
});
