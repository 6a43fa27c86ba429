import { assertEquals } from "@std/assert";
import plugin from "../../tools/lint/plugin.ts";

function complaints(file: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, file, source).map(({ id }) => id);
}

const CASES: { what: string; file: string; source: string; ids: string[] }[] = [
  {
    what: "a file may import what stands above it",
    file: "lib/plan.ts",
    source: 'import "./entry.ts";',
    ids: [],
  },
  {
    what: "not what stands below",
    file: "lib/entry.ts",
    source: 'import "./plan.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  {
    what: "not an edge",
    file: "lib/plan.ts",
    source: 'export * from "./haproxy/reply.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  {
    what: "an edge may import pure files",
    file: "lib/haproxy/reply.ts",
    source: 'import "../observed.ts";',
    ids: [],
  },
  {
    what: "not another edge",
    file: "lib/haproxy/reply.ts",
    source: 'import "../etcd/read.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  {
    what: "not the loop",
    file: "lib/etcd/read.ts",
    source: 'export { x } from "../controller.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  {
    what: "only cli imports cli",
    file: "lib/admin/server.ts",
    source: 'import "../cli/run.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  { what: "cli imports everything", file: "lib/cli/run.ts", source: 'import "../etcd/read.ts";', ids: [] },
  {
    what: "lib imports nothing from outside",
    file: "lib/log.ts",
    source: 'import "../tools/x.ts";',
    ids: ["etcd-haproxy/layers"],
  },
  {
    what: "a file without a place is named",
    file: "lib/new.ts",
    source: 'import "./plan.ts";',
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
    file: "lib/plan.ts",
    source: "Date.now(); new Date();",
    ids: ["etcd-haproxy/pure", "etcd-haproxy/pure"],
  },
  { what: "a time that is given is no clock", file: "lib/status.ts", source: "new Date(at);", ids: [] },
  {
    what: "a pure file has no file and no log",
    file: "lib/entry.ts",
    source: "Deno.stat(console.log);",
    ids: ["etcd-haproxy/pure", "etcd-haproxy/pure"],
  },
  {
    what: "a pure file has no timer and no chance",
    file: "lib/pace.ts",
    source: "setTimeout(Math.random);",
    ids: ["etcd-haproxy/pure", "etcd-haproxy/pure"],
  },
  {
    what: "an edge may have all that",
    file: "lib/haproxy/master.ts",
    source: "setTimeout(Deno.kill); Date.now();",
    ids: [],
  },
];

for (const { what, file, source, ids } of CASES) {
  Deno.test(`lint: ${what}`, () => assertEquals(complaints(file, source).sort(), ids));
}
