import { assertEquals } from "@std/assert";
import plugin from "../../../../tools/lint/plugin.ts";

function complaints(file: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, file, source).map(({ id }) => id);
}

const CASES: { what: string; file: string; source: string; ids: string[] }[] = [
  {
    what: "an import goes down",
    file: "lib/plan/plan.ts",
    source: 'import "../registry/entry.ts"; import "./step.ts";',
    ids: [],
  },
  {
    what: "never up",
    file: "lib/registry/entry.ts",
    source: 'import "../plan/plan.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  {
    what: "an export counts as an import",
    file: "lib/plan/plan.ts",
    source: 'export * from "../haproxy/wire/reply.ts"; export { x } from "../node/controller.ts";',
    ids: ["etcd-haproxy/layers", "etcd-haproxy/layers"],
  },
  {
    what: "a driver may import what is below it",
    file: "lib/haproxy/wire/reply.ts",
    source: 'import "../../plan/observed.ts";',
    ids: [],
  },
  {
    what: "not the other driver",
    file: "lib/haproxy/port.ts",
    source: 'import "../etcd/read.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  {
    what: "only cli imports cli",
    file: "lib/node/node.ts",
    source: 'import "../cli/run.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  { what: "cli imports everything", file: "lib/cli/run.ts", source: 'import "../etcd/read.ts";', ids: [] },
  {
    what: "lib imports nothing from outside",
    file: "lib/util/log.ts",
    source: 'import "../../tools/x.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  {
    what: "a folder without a place is named",
    file: "lib/new/x.ts",
    source: 'import "../plan/plan.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  {
    what: "other folders are free",
    file: "tests/x_test.ts",
    source: 'import "../lib/cli/run.ts"; Deno.exit(Date.now());',
    ids: [],
  },
  {
    what: "a pure file has no clock",
    file: "lib/plan/plan.ts",
    source: "Date.now(); new Date();",
    ids: ["etcd-haproxy/pure", "etcd-haproxy/pure"],
  },
  { what: "a time that is given is no clock", file: "lib/node/facts.ts", source: "new Date(at);", ids: [] },
  {
    what: "a pure file has no file and no log",
    file: "lib/registry/entry.ts",
    source: "Deno.stat(console.log);",
    ids: ["etcd-haproxy/pure", "etcd-haproxy/pure"],
  },
  {
    what: "a pure file has no timer and no chance",
    file: "lib/plan/pace.ts",
    source: "setTimeout(Math.random);",
    ids: ["etcd-haproxy/pure", "etcd-haproxy/pure"],
  },
  {
    what: "a driver may have all that",
    file: "lib/haproxy/master.ts",
    source: "setTimeout(Deno.kill); Date.now();",
    ids: [],
  },
];

for (const { what, file, source, ids } of CASES) {
  Deno.test(`lint: ${what}`, () => assertEquals(complaints(file, source).sort(), ids));
}
