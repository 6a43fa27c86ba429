import { assertEquals } from "@std/assert";
import { PURE } from "../../../../tools/lint/layers.ts";
import plugin from "../../../../tools/lint/plugin.ts";

function complaints(file: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, file, source).map(({ id }) => id);
}

Deno.test("the list of pure files names only what is there", () => {
  const missing = PURE.filter((place) => {
    const path = new URL(`../../../../lib/${place.endsWith("/") ? place : `${place}.ts`}`, import.meta.url);
    try {
      Deno.statSync(path);
      return false;
    } catch {
      return true;
    }
  });
  assertEquals(missing, []);
});

const CASES: { what: string; file: string; source: string; ids: string[] }[] = [
  {
    what: "a pure file takes only types from one that is not",
    file: "lib/plan/pace.ts",
    source: 'import type { Bind } from "../util/log.ts"; import { type A, type B } from "../util/time.ts";',
    ids: [],
  },
  {
    what: "a pure file calls nothing that has effects, of this project or of Node",
    file: "lib/plan/pace.ts",
    source: 'import { sleep } from "../util/time.ts"; import fs from "node:fs"; import "../util/log.ts";',
    ids: ["etcd-haproxy/pure", "etcd-haproxy/pure", "etcd-haproxy/pure"],
  },
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
  {
    what: "only a command listens for signals",
    file: "lib/node/node.ts",
    source: 'Deno.addSignalListener("SIGHUP", f); Deno.removeSignalListener("SIGHUP", f);',
    ids: ["etcd-haproxy/process", "etcd-haproxy/process"],
  },
  {
    what: "only a command ends the process",
    file: "lib/haproxy/master.ts",
    source: 'Deno.exit(1); Deno.exitCode = 1; Deno["exit"](1);',
    ids: ["etcd-haproxy/process", "etcd-haproxy/process", "etcd-haproxy/process"],
  },
  {
    what: "only a command reads the environment",
    file: "lib/haproxy/binary.ts",
    source: 'Deno.env.get("PATH"); Deno.env;',
    ids: ["etcd-haproxy/process", "etcd-haproxy/process"],
  },
  {
    what: "only a command changes the directory or the mask of the process",
    file: "lib/register/child.ts",
    source: 'Deno.chdir("/"); Deno.umask(0o77);',
    ids: ["etcd-haproxy/process", "etcd-haproxy/process"],
  },
  {
    what: "only a command sets up the log",
    file: "lib/node/node.ts",
    source: 'import { configureLog } from "../util/log.ts"; await configureLog({});',
    ids: ["etcd-haproxy/process"],
  },
  {
    what: "the log may be declared where it is",
    file: "lib/util/log.ts",
    source: "export async function configureLog() {}",
    ids: [],
  },
  {
    what: "only a command prepares the process for etcd's client, however it is imported",
    file: "lib/node/node.ts",
    source:
      'import "../etcd/process.ts"; export * from "../etcd/process.ts"; await import("../etcd/process.ts");',
    ids: ["etcd-haproxy/process", "etcd-haproxy/process", "etcd-haproxy/process"],
  },
  {
    what: "not even its own folder does",
    file: "lib/etcd/client.ts",
    source: 'import { prepareProcess } from "./process.ts"; import { surviveGoaway } from "./goaway.ts";',
    ids: ["etcd-haproxy/process", "etcd-haproxy/process"],
  },
  {
    what: "what prepares the process consists of several files",
    file: "lib/etcd/process.ts",
    source: 'import "./goaway.ts"; import "./tls.ts"; import "node:process";',
    ids: [],
  },
  {
    what: "another module of that name is none of the process's",
    file: "lib/node/haproxy.ts",
    source: 'import "./haproxy_process.ts"; import "../haproxy/process.ts"; other.exit(Deno.args);',
    ids: [],
  },
  {
    what: "Node's name for the process is no way around",
    file: "lib/node/node.ts",
    source: 'import process from "node:process";',
    ids: ["etcd-haproxy/process"],
  },
  {
    what: "a command may do all that",
    file: "lib/cli/run.ts",
    source: 'import "../etcd/process.ts"; Deno.exit(Deno.env.get("A")); configureLog({});',
    ids: [],
  },
];

for (const { what, file, source, ids } of CASES) {
  Deno.test(`lint: ${what}`, () => assertEquals(complaints(file, source).sort(), ids));
}
