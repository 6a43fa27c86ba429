import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isReloadCheaper, needsReload } from "../../../lib/plan/reload.ts";
import { serverParams } from "../../../lib/config/server_line.ts";
import type { Step } from "../../../lib/plan/step.ts";
import { goodEntry } from "../arbitraries.ts";
import { serverOf } from "../fixtures.ts";

const PLACE = { backend: "b", server: "a", reason: "x" };
const add = (params: string): Step => ({ ...PLACE, kind: "add", line: { name: "a", params } });
const IP = { kind: "ip", host: "10.0.0.5", port: 80 } as const;

const NOT_IP = "its address is not an IP address and a port";
const NOT_PLAIN = "it holds quotes, variables or separators";
const lines: Record<string, [params: string, reason: string | undefined]> = {
  "an IPv4 address": ["10.0.0.5:80", undefined],
  "an IPv6 address": ["[2001:DB8::5]:80 weight 1 check", undefined],
  "a name": ["web:80", NOT_IP],
  "an address without port": ["10.0.0.5", NOT_IP],
  "a relative port": ["10.0.0.5:+1", NOT_IP],
  "a socket": ["unix@/run/web.sock", NOT_IP],
  "a variable as an address": ['"${WEB}:80"', NOT_IP],
  "a variable": ["10.0.0.5:80 weight $W", NOT_PLAIN],
  "quotes": ["10.0.0.5:80 sni 'str(a)'", NOT_PLAIN],
  "another command": ["10.0.0.5:80 weight 1; shutdown", NOT_PLAIN],
  "a comment": ["10.0.0.5:80 # old", NOT_PLAIN],
  "a parameter for the file only": [
    "10.0.0.5:80 check resolvers r",
    "its parameter resolvers is not for servers that are added at run time",
  ],
  "a parameter of 3.2 only": [
    "10.0.0.5:80 cookie c",
    "its parameter cookie is not for servers that are added at run time",
  ],
  "an argument that is spelled like such a parameter": [
    "10.0.0.5:80 ssl verify none sni resolvers",
    undefined,
  ],
  "the system's CA": ["10.0.0.5:80 ssl verify required ca-file @system-ca", undefined],
  "a CA of one's own": ["10.0.0.5:80 ssl ca-file /ca.pem", "its ca-file may not be loaded"],
};

for (const [what, [params, reason]] of Object.entries(lines)) {
  Deno.test(`needsReload() ${reason === undefined ? "lets" : "does not let"} a line with ${what} run`, () => {
    const line = { name: "a", params };
    // Twice: lines are remembered by their pattern.
    assertEquals([needsReload(add(params)), needsReload(add(params))], [reason, reason]);
    assertEquals(needsReload({ ...PLACE, kind: "replace", line, isMaint: true }), reason);
    assertEquals(needsReload({ ...PLACE, kind: "ready", line, from: "maint" }), reason);
    assertEquals(needsReload({ ...PLACE, kind: "address", line, address: IP }), reason);
  });
}

Deno.test("needsReload() does not take one address for another kind because the rest is alike", () => {
  assertEquals(
    [needsReload(add("10.0.0.7:80 weight 9")), needsReload(add("web7:80 weight 9"))],
    [undefined, NOT_IP],
  );
  assertEquals(
    [needsReload(add("10.0.0.8:80 weight 9")), needsReload(add("10.0.0.8 weight 9"))],
    [undefined, NOT_IP],
  );
});

Deno.test("needsReload() says of steps without a line when the server is resolved by DNS", () => {
  const name = { kind: "name", host: "web", port: 80 } as const;
  const line = { name: "a", params: "web:80" };
  assertEquals(
    needsReload({ ...PLACE, kind: "address", line, address: name }),
    "a name is resolved at a reload only",
  );
  const remove = { ...PLACE, kind: "remove", isMaint: false, isDraining: false } as const;
  assertEquals(
    needsReload({ ...remove, isName: true }),
    "a server that is resolved by DNS is removed by a reload",
  );
  assertEquals(needsReload({ ...remove, isName: false }), undefined);
  assertEquals(needsReload({ ...PLACE, kind: "weight", weight: 3 }), undefined);
  assertEquals(needsReload({ ...PLACE, kind: "maint" }), undefined);
});

Deno.test("needsReload() lets every entry run that the contract allows, but for those with a name", () => {
  fc.assert(fc.property(goodEntry, (entry) => {
    const server = serverOf(entry);
    const expected = server.address.host.kind === "name" ? NOT_IP : undefined;
    assertEquals(needsReload(add(`${serverParams(server)} id 7`)), expected);
  }));
});

const costs: [steps: number, servers: number, cheaper: boolean][] = [
  [1, 0, false],
  [500, 0, false],
  [501, 0, true],
  [500, 500, true],
  [250, 500, false],
  [1, 20_000, false],
  [120, 20_000, false],
  [130, 20_000, true],
];

for (const [steps, servers, cheaper] of costs) {
  Deno.test(`isReloadCheaper() says ${cheaper ? "yes" : "no"} to ${steps} steps among ${servers} servers`, () => {
    assertEquals(isReloadCheaper(steps, servers), cheaper);
  });
}

Deno.test("needsReload() takes no traffic from a server only to change its parameters", () => {
  const line = { name: "a", params: "10.0.0.5:80 maxconn 5" };
  const reason = "its parameters change, and it gets requests until then";
  assertEquals(needsReload({ ...PLACE, kind: "replace", line, isMaint: false }), reason);
});
