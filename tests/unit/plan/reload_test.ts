import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  isReloadCheaper,
  needsReload,
  type ReloadCause,
  type ReloadInput,
  reloadReason,
} from "../../../lib/plan/reload.ts";
import { baseDigest } from "../../../lib/config/text.ts";
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

const BASE = "global\n";
const DIGEST = baseDigest(BASE);
const UP: ReloadInput["observed"] = { kind: "up", base: DIGEST, servers: new Map() };
const OTHER: ReloadInput["observed"] = { ...UP, base: baseDigest("another") };
const SILENT: ReloadInput["observed"] = { kind: "silent", reason: "no such file" };
const STEP = add("10.0.0.5:80 weight 100");
const NAMED = add("web:80");
const MANY = Array<Step>(501).fill(STEP);
const NO_COMMAND = `server b/a: ${NOT_IP}`;

/** What is known, besides that HAProxy runs the wanted base and everything may be changed at run time. */
const causes: Record<
  string,
  [changes: Partial<ReloadInput>, cause: ReloadCause | undefined, reason?: string]
> = {
  "nothing to do": [{}, undefined],
  "one step that a command makes": [{ steps: [STEP] }, undefined],
  "as many steps as commands make": [{ steps: MANY.slice(1) }, undefined],

  "a runtime socket that does not answer": [
    { observed: SILENT },
    "socket-silent",
    "the runtime socket does not answer: no such file",
  ],
  "another base": [
    { observed: OTHER },
    "base-changed",
    `HAProxy runs base ${baseDigest("another").slice(0, 12)}, wanted is ${DIGEST.slice(0, 12)}`,
  ],
  "a HAProxy that was not started from our text": [
    { observed: { ...UP, base: undefined } },
    "base-changed",
    `HAProxy runs base of unknown origin, wanted is ${DIGEST.slice(0, 12)}`,
  ],
  "a step, and changes at run time switched off": [
    { steps: [STEP], mode: "reload" },
    "runtime-off",
    "changes at run time are switched off",
  ],
  "a step, after steps that had no effect": [
    { steps: [STEP], mode: "reload-once" },
    "no-effect",
    "steps at run time had no effect",
  ],
  "a step that no command can make": [{ steps: [STEP, NAMED] }, "step-not-dynamic", NO_COMMAND],
  "more steps than a reload costs": [{ steps: MANY }, "many-steps", "501 steps cost more than a reload"],

  "no step, and changes at run time switched off": [{ mode: "reload" }, undefined],
  "no step, after steps that had no effect": [{ mode: "reload-once" }, undefined],

  // Each holds with all that come after it in the table.
  "a silent socket and all else": [
    { observed: SILENT, steps: [...MANY, NAMED], mode: "reload" },
    "socket-silent",
    "the runtime socket does not answer: no such file",
  ],
  "another base and all else": [
    { observed: OTHER, steps: [...MANY, NAMED], mode: "reload" },
    "base-changed",
    `HAProxy runs base ${baseDigest("another").slice(0, 12)}, wanted is ${DIGEST.slice(0, 12)}`,
  ],
  "many steps that no command can make, and changes at run time switched off": [
    { steps: [...MANY, NAMED], mode: "reload" },
    "runtime-off",
    "changes at run time are switched off",
  ],
  "many steps that no command can make, after steps that had no effect": [
    { steps: [...MANY, NAMED], mode: "reload-once" },
    "no-effect",
    "steps at run time had no effect",
  ],
  "many steps, one of which no command can make": [
    { steps: [...MANY, NAMED] },
    "step-not-dynamic",
    NO_COMMAND,
  ],
};

for (const [what, [changes, cause, reason = ""]] of Object.entries(causes)) {
  Deno.test(`reloadReason() finds ${cause ?? "no cause"} in ${what}`, () => {
    const desired = { base: BASE, servers: new Map() };
    const found = reloadReason({ observed: UP, desired, steps: [], mode: "auto", ...changes });
    assertEquals(found, cause === undefined ? undefined : { cause, reason });
  });
}

Deno.test("reloadReason() counts the servers of all backends to tell what steps cost", () => {
  const lines = Array(250).fill({ name: "a", params: "10.0.0.5:80" });
  const steps = MANY.slice(1);
  const few = { base: BASE, servers: new Map([["a", lines]]) };
  const many = { base: BASE, servers: new Map([["a", lines], ["b", lines]]) };
  assertEquals(reloadReason({ observed: UP, desired: few, steps, mode: "auto" })?.cause, undefined);
  assertEquals(reloadReason({ observed: UP, desired: many, steps, mode: "auto" })?.cause, "many-steps");
});
