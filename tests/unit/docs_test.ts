import { assertEquals } from "@std/assert";
import { PROBLEM_KINDS } from "../../lib/node/problems.ts";
import { anchorsOf, headingsOf, linksOf, tableCells } from "./markdown.ts";

const ROOT = new URL("../../", import.meta.url);
/** A terminal shows a table only if its cells are short. */
const MAX_CELL = 100;

/** The pages that people read, by their path in the project. */
const PAGES = ["README.md", "SECURITY.md", "CHANGELOG.md", "backend/README.md", ...filesIn("docs/", ".md")]
  .sort();

Deno.test("docs/ARCHITECTURE.md names only files that are there, and every folder of lib", () => {
  const text = read("docs/ARCHITECTURE.md");
  const files = namedFiles(text);
  assertEquals(files.length > 20, true);
  assertEquals(files.filter((path) => !exists(`lib/${path}`) && !exists(path)), []);
  const folders = [...Deno.readDirSync(new URL("lib/", ROOT))].map(({ name }) => name);
  assertEquals(folders.filter((name) => !text.includes(`| \`${name}/\``)), []);
});

Deno.test("docs/operations/events.md names every kind of event", () => {
  const text = read("docs/operations/events.md");
  const sources = ["lib/node/events.ts", "lib/reconcile/events.ts"].map(read);
  const declared = sources.flatMap((source) => [
    ...source.matchAll(/(?:readonly kind: |Of<)((?:"[a-z-]+"(?: \| )?)+)/g),
  ]);
  const kinds = new Set(declared.flatMap(([, list = ""]) => list.match(/[a-z]+(?:-[a-z]+)*/g) ?? []));
  assertEquals(kinds.size > 30, true);
  assertEquals([...kinds].filter((kind) => !text.includes(`\`${kind}\``)), []);
});

Deno.test("docs/operations/problems.md has a heading for each kind of problem, and for no other", () => {
  const headings = headingsOf(read("docs/operations/problems.md"));
  const kinds = headings.flatMap((heading) => /^`(.+)`$/.exec(heading)?.[1] ?? []);
  assertEquals(kinds.toSorted(), [...PROBLEM_KINDS].sort());
});

Deno.test("docs/operations/log.md and problems.md quote only texts of the program", () => {
  const lines = quotes(read("docs/operations/log.md"), /^- (`[^`]+`)/gm);
  const reasons = quotes(read("docs/operations/problems.md"), /^Reason: (.+)$/gm);
  assertEquals([lines.length > 30, reasons.length > 15], [true, true]);
  const sources = filesIn("lib/", ".ts").map(read).join("\n");
  const isThere = (text: string) => text.split(/\.\.\.|:/).every((part) => sources.includes(part.trim()));
  assertEquals([...lines, ...reasons].filter((text) => !isThere(text)), []);
});

Deno.test("pages name only metrics that there are", () => {
  const source = read("lib/node/metrics.ts");
  const named = filesIn("docs/", ".md").flatMap((page) => read(page).match(/etcd_haproxy_[a-z_]+/g) ?? []);
  const unknown = named.filter((name) => !source.includes(`"${name.replace("etcd_haproxy_", "")}"`));
  assertEquals(named.length > 15, true);
  assertEquals(unknown.filter((name) => !source.includes(`"${name}"`)), []);
});

Deno.test("pages have no table cell that is longer than a terminal is wide", () => {
  const long = PAGES.flatMap((page) =>
    tableCells(read(page)).filter((cell) => cell.length > MAX_CELL).map((cell) => `${page}: ${cell}`)
  );
  assertEquals(long, []);
});

Deno.test("pages link only to what is there", () => {
  const broken = PAGES.flatMap((page) =>
    linksOf(read(page)).filter((target) => !leadsSomewhere(page, target)).map((target) =>
      `${page}: ${target}`
    )
  );
  assertEquals(broken, []);
});

Deno.test("pages use common words", () => {
  const found = PAGES.flatMap((page) =>
    (read(page).match(/.*\b(?:somebody|whoever|stands)\b.*/gi) ?? []).map((line) => `${page}: ${line.trim()}`)
  );
  assertEquals(found, []);
});

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(new URL(path, ROOT));
    return true;
  } catch {
    return false;
  }
}

/** All files below a folder whose names end so. */
function filesIn(folder: string, end: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return filesIn(`${folder}${name}/`, end);
    return name.endsWith(end) ? [`${folder}${name}`] : [];
  });
}

/** The texts in backticks in what an expression captures. */
function quotes(page: string, expression: RegExp): string[] {
  return [...page.matchAll(expression)].flatMap(([, found = ""]) =>
    [...found.matchAll(/`([^`]+)`/g)].flatMap(([, text]) => text ?? [])
  );
}

/** Paths of source files that a page names, such as `plan/plan.ts`. */
function namedFiles(text: string): string[] {
  return [...text.matchAll(/`((?:[a-z_]+\/)+[a-z_]+\.ts)`/g)].flatMap(([, path]) => path ?? []);
}

/** Whether a link of a page leads to a file, and to a heading in it if it names one. Links to other hosts are not followed. */
function leadsSomewhere(page: string, target: string): boolean {
  if (/^[a-z]+:/.test(target)) return true;
  const { pathname, hash } = new URL(target, new URL(page, "file:///"));
  const path = pathname.slice(1);
  if (!exists(path)) return false;
  return hash === "" || path.endsWith(".md") && anchorsOf(read(path)).includes(hash.slice(1));
}
