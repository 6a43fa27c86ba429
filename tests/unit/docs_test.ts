import { assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

/** Paths of source files that a page names, such as `plan/plan.ts`. */
function namedFiles(text: string): string[] {
  return [...text.matchAll(/`((?:[a-z_]+\/)+[a-z_]+\.ts)`/g)].flatMap(([, path]) => path ?? []);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isFile;
  } catch {
    return false;
  }
}

Deno.test("docs/ARCHITECTURE.md names only files that are there, and every folder of lib", async () => {
  const text = await Deno.readTextFile(new URL("docs/ARCHITECTURE.md", ROOT));
  const files = namedFiles(text);
  assertEquals(files.length > 20, true);
  assertEquals(files.filter((path) => !exists(`lib/${path}`) && !exists(path)), []);
  const folders = [...Deno.readDirSync(new URL("lib/", ROOT))].map(({ name }) => name);
  assertEquals(folders.filter((name) => !text.includes(`| \`${name}/\``)), []);
});

Deno.test("docs/operations.md names every kind of event", async () => {
  const text = await Deno.readTextFile(new URL("docs/operations.md", ROOT));
  const sources = await Promise.all(
    ["lib/node/events.ts", "lib/reconcile/events.ts"].map((path) => Deno.readTextFile(new URL(path, ROOT))),
  );
  const declared = sources.flatMap((
    source,
  ) => [...source.matchAll(/readonly kind: ((?:"[a-z-]+"(?: \| )?)+)/g)]);
  const kinds = new Set(declared.flatMap(([, list = ""]) => list.match(/[a-z]+(?:-[a-z]+)*/g) ?? []));
  assertEquals(kinds.size > 30, true);
  assertEquals([...kinds].filter((kind) => !text.includes(`\`${kind}\``)), []);
});
