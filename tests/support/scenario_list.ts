import type { Scenario } from "./scenario.ts";

const FOLDER = new URL("../scenarios/", import.meta.url);

/**
 * All scenarios, by name. Each file of `tests/scenarios/` but tests exports one, called `scenario`.
 *
 * @throws {Error} when a file does not, or when it is called otherwise than its scenario
 */
export async function listScenarios(): Promise<Scenario[]> {
  const files = (await Array.fromAsync(Deno.readDir(FOLDER))).map(({ name }) => name)
    .filter((name) => name.endsWith(".ts") && !name.endsWith("_test.ts"));
  return await Promise.all(files.sort().map(loadScenario));
}

async function loadScenario(file: string): Promise<Scenario> {
  const module: { scenario?: Scenario } = await import(new URL(file, FOLDER).href);
  const { scenario } = module;
  if (scenario === undefined) throw new Error(`Cannot load ${file}: it exports no scenario`);
  if (`${scenario.name}.ts` !== file) {
    throw new Error(`Cannot load ${file}: its scenario is called ${scenario.name}`);
  }
  return scenario;
}
