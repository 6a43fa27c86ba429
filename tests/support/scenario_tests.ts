import { missingRequirement } from "./requirements.ts";
import { playScenario } from "./scenario.ts";
import { groupOf, type ScenarioGroup } from "./scenario_groups.ts";
import { listScenarios } from "./scenario_list.ts";

/** Some 300 requests a second: enough to show failures, and a core is left to other tests. */
const PAUSE_MS = 20;
/** The times of the report are not used here. */
const LOOK_EVERY_MS = 100;

/** Makes a test of each short scenario of a group. Scenarios that need more than the machine allows are skipped by name. */
export async function testScenarios(group: ScenarioGroup): Promise<void> {
  for (const scenario of await listScenarios()) {
    if (scenario.takes === "long" || groupOf(scenario.name) !== group) continue;
    const missing = await missingRequirement(scenario.needs);
    const title = `${scenario.name}: ${scenario.fault}`;
    Deno.test({
      name: missing === undefined ? title : `${title} (skipped: ${missing})`,
      ignore: missing !== undefined,
      fn: async () => void await playScenario(scenario, { pauseMs: PAUSE_MS, lookEveryMs: LOOK_EVERY_MS }),
    });
  }
}
