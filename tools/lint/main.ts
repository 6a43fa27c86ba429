/** Prints which files of `lib/` import each other in a circle. Exit codes: 0 none do, 1 some do. */
import { circlesOf, type ImportGraph } from "./circles.ts";
import { moduleOf } from "./layers.ts";

/** The part of a module in `deno info --json` that is used here. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

async function importsOf(entry: string): Promise<ImportGraph> {
  const args = ["info", "--json", entry];
  const { success, stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  if (!success) throw new Error(`Cannot read the imports of ${entry}: deno info failed`);
  const { modules }: Info = JSON.parse(new TextDecoder().decode(stdout));
  return new Map(modules.flatMap(({ specifier, dependencies = [] }) => {
    const module = moduleOf(specifier);
    if (module === undefined) return [];
    const targets = dependencies.flatMap(({ code, type }) => [code?.specifier, type?.specifier]);
    return [[module, targets.flatMap((target) => moduleOf(target ?? "") ?? [])] as const];
  }));
}

if (import.meta.main) {
  const circles = circlesOf(await importsOf("main.ts"));
  for (const circle of circles) console.error(`Circle of imports in lib: ${circle.join(" -> ")}`);
  Deno.exit(circles.length === 0 ? 0 : 1);
}
