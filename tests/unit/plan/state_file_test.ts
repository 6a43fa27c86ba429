import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { serverStateText } from "../../../lib/plan/state_file.ts";
import type { ObservedServer } from "../../../lib/plan/observed.ts";
import { tempDir } from "../../support/mod.ts";
import { observed } from "../fixtures.ts";
import { runHaproxyCheck, withHaproxy } from "../haproxy_check.ts";

const NONE_UNREADY: ReadonlySet<string> = new Set();

/** The rows that are written for server `a` of backend `b`. */
function rows(
  params: string,
  running: ObservedServer | undefined = observed("a"),
  unready = NONE_UNREADY,
): string[] {
  const config = { base: "", servers: new Map([["b", [{ name: "a", params }]]]) };
  const servers = new Map([["b", new Map(running === undefined ? [] : [["a", running]])]]);
  return serverStateText(config, servers, unready).trimEnd().split("\n").slice(2);
}

const LINE = "10.0.0.5:8080 weight 100 check id 7";

Deno.test("serverStateText() keeps what is known of the health of a server that stays what it was", () => {
  assertEquals(rows(LINE), ["3 backend 7 a 10.0.0.5 2 0 100 100 10 6 3 4 6 0 0 1 - 8080 - 0 0 - - 0"]);
});

Deno.test("serverStateText() takes weight and administrative state from the new text", () => {
  const row = "3 backend 7 a 10.0.0.5 0 8 50 60 10 8 2 0 6 0 0 1 - 8080 - 0 0 - - 0";
  assertEquals(rows(LINE.replace("weight 100", "weight 7"), observed("a", { row, up: false })), [
    "3 backend 7 a 10.0.0.5 0 0 7 7 10 8 2 0 6 0 0 1 - 8080 - 0 0 - - 0",
  ]);
});

const left: Record<string, [params: string, running?: ObservedServer]> = {
  "another address": [LINE.replace("10.0.0.5", "10.0.0.6")],
  "another port": [LINE.replace("8080", "8081")],
  "other parameters": [LINE.replace("id 7", "id 8")],
  "a name for its address": [LINE.replace("10.0.0.5", "web.example")],
  "maintenance in the new text": [`${LINE} disabled`],
  "maintenance until now": [LINE, observed("a", { maint: true })],
  "a name that did not resolve": [LINE, observed("a", { ip: undefined, port: 0 })],
};

for (const [what, [params, running]] of Object.entries(left)) {
  Deno.test(`serverStateText() has no row for a server with ${what}`, () => {
    assertEquals(rows(params, running), []);
  });
}

Deno.test("serverStateText() has no row for a server that does not run yet, nor for one that is gone", () => {
  const config = { base: "", servers: new Map([["b", [{ name: "new", params: LINE }]]]) };
  const text = serverStateText(config, new Map([["b", new Map([["a", observed("a")]])]]), NONE_UNREADY);
  assertEquals(text.split("\n").length, 3);
});

const HELD = new Set(["b/a"]);
const unreadyRows: Record<string, [params: string, running: ObservedServer | undefined, row: string[]]> = {
  "a new server that is unready": [
    LINE,
    undefined,
    ["0 b 0 a 10.0.0.5 0 0 100 100 0 8 2 0 6 0 0 0 - 8080 - 0 0 - - 0"],
  ],
  "a server that is unready at its new address, whatever is known of the old one": [
    LINE.replace("10.0.0.5:8080 weight 100", "[2001:DB8::6]:81 weight 7"),
    observed("a"),
    ["0 b 0 a 2001:db8::6 0 0 7 7 0 8 2 0 6 0 0 0 - 81 - 0 0 - - 0"],
  ],
};

for (const [what, [params, running, row]] of Object.entries(unreadyRows)) {
  Deno.test(`serverStateText() says down for ${what}`, () => {
    const config = { base: "", servers: new Map([["b", [{ name: "a", params }]]]) };
    const servers = new Map([["b", new Map(running === undefined ? [] : [["a", running]])]]);
    assertEquals(serverStateText(config, servers, HELD).trimEnd().split("\n").slice(2), row);
  });
}

Deno.test("serverStateText() has no row for an unready server in maintenance or with a name for its address", () => {
  assertEquals(rows(`${LINE} disabled`, observed("a"), HELD), []);
  assertEquals(rows(LINE.replace("10.0.0.5", "web.example"), observed("a"), HELD), []);
});

Deno.test("serverStateText() starts with the version and the columns of the rows", () => {
  const [version, columns] = serverStateText({ base: "", servers: new Map() }, new Map(), NONE_UNREADY).split(
    "\n",
  );
  assertEquals([version, columns?.split(" ").length], ["1", observed("a").row.split(" ").length + 1]);
});

withHaproxy("serverStateText() writes what HAProxy loads without a warning", async (haproxy) => {
  await using dir = await tempDir();
  const path = join(dir.path, "servers.state");
  await Deno.writeTextFile(
    path,
    `${serverStateText({ base: "", servers: new Map() }, new Map(), NONE_UNREADY)}${rows(LINE)[0]}\n`,
  );
  const check = (file: string) =>
    runHaproxyCheck(
      haproxy,
      `global
    server-state-file ${file}
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
    load-server-state-from-file global
frontend f
    bind 127.0.0.1:80
backend backend
    server a ${LINE}
`,
    );
  const warnings = async (file: string) => (await check(file)).output.match(/\[WARNING\].*/g) ?? [];
  assertEquals(await warnings(path), []);
  assertEquals((await warnings(`${path}.missing`)).length > 0, true);
});
