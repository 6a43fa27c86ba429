import { missingRequirement } from "../support/requirements.ts";
import { playScenario } from "../support/scenario.ts";
import { listScenarios } from "../support/scenario_list.ts";

for (const scenario of await listScenarios()) {
  if (scenario.takes === "long") continue;
  const missing = await missingRequirement(scenario.needs);
  const title = `${scenario.name}: ${scenario.fault}`;
  Deno.test({
    name: missing === undefined ? title : `${title} (skipped: ${missing})`,
    ignore: missing !== undefined,
    fn: async () => void await playScenario(scenario),
  });
}
