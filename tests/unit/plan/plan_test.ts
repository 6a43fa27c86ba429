import { assertEquals } from "@std/assert";
import { baseDigest, type ConfigText, joinConfig, splitConfig } from "../../../lib/config/text.ts";
import type { Observed, ObservedServer } from "../../../lib/plan/observed.ts";
import { describePlan, onlyAdds, plan, type PlanInput, runsAt } from "../../../lib/plan/plan.ts";
import type { Step } from "../../../lib/plan/step.ts";
import { observed } from "../fixtures.ts";

const LINE = "10.0.0.5:8080 weight 100 check id 7";

/** A configuration with these servers of backend `b`. */
function configOf(lines: Record<string, string>): ConfigText {
  const servers = Object.entries(lines).map(([name, params]) => `    server ${name} ${params}\n`).join("");
  return splitConfig(`backend b\n${servers}`);
}

/** A worker that runs the wanted base and these servers of backend `b`. */
function running(...servers: ObservedServer[]): Observed {
  const { base } = configOf({});
  return {
    kind: "up",
    base: baseDigest(base),
    servers: new Map([["b", new Map(servers.map((server) => [server.name, server]))]]),
  };
}

/** The plan for these lines against these servers, as text. */
function described(
  lines: Record<string, string>,
  servers: ObservedServer[],
  changes: Partial<PlanInput> = {},
): string[] {
  return describePlan(plan(inputOf(lines, servers, changes)));
}

function inputOf(
  lines: Record<string, string>,
  servers: ObservedServer[],
  changes: Partial<PlanInput> = {},
): PlanInput {
  const desired = configOf(lines);
  return {
    desired,
    observed: running(...servers),
    file: joinConfig(desired),
    revisionOf: (backend, server) => backend === "b" && server === "a" ? 812n : undefined,
    mode: "auto",
    ...changes,
  };
}

const steps: Record<string, [lines: Record<string, string>, servers: ObservedServer[], plan: string[]]> = {
  "adds a server that does not run": [
    { a: LINE },
    [],
    ["add server b/a 10.0.0.5:8080 weight 100 check: asked for at revision 812"],
  ],
  "adds a server without check, in maintenance": [
    { a: "10.0.0.5:8080 disabled id 7" },
    [],
    ["add server b/a 10.0.0.5:8080 weight 1 disabled: asked for at revision 812"],
  ],
  "adds a server that only the template has": [
    { fixed: LINE },
    [],
    ["add server b/fixed 10.0.0.5:8080 weight 100 check: the template asks for it"],
  ],
  "removes a server that no entry asks for": [
    {},
    [observed("a")],
    ["remove server b/a: no entry asks for it"],
  ],
  "goes on with the removal of a server that drains": [
    {},
    [observed("a", { draining: true })],
    ["remove server b/a: no entry asks for it, connections may be left"],
  ],
  "goes on with the removal of a server in maintenance": [
    {},
    [observed("a", { maint: true, up: false })],
    ["remove server b/a: no entry asks for it, connections may be left"],
  ],
  "moves a server to another address": [
    { a: LINE.replace("10.0.0.5", "10.0.0.6") },
    [observed("a")],
    ["address server b/a 10.0.0.6 port 8080: it is at 10.0.0.5 port 8080, asked for at revision 812"],
  ],
  "moves a server to another port": [
    { a: LINE.replace("8080", "81") },
    [observed("a")],
    ["address server b/a 10.0.0.5 port 81: it is at 10.0.0.5 port 8080, asked for at revision 812"],
  ],
  "leaves an IPv6 address that is only spelled otherwise": [
    { a: LINE.replace("10.0.0.5", "[2001:DB8:0::5]") },
    [observed("a", { ip: "2001:db8::5" })],
    [],
  ],
  "changes a weight": [
    { a: LINE.replace("weight 100", "weight 0") },
    [observed("a")],
    ["weight server b/a 0: it has weight 100, asked for at revision 812"],
  ],
  "puts a server into maintenance": [
    { a: `${LINE} disabled` },
    [observed("a")],
    ["maint server b/a: asked for at revision 812"],
  ],
  "readmits a server from maintenance": [
    { a: LINE },
    [observed("a", { maint: true, up: false })],
    ["ready server b/a: it is in maint, asked for at revision 812"],
  ],
  "readmits a server that was left draining by hand, or by a removal that came too early": [
    { a: LINE },
    [observed("a", { draining: true })],
    ["ready server b/a: it is in drain, asked for at revision 812"],
  ],
  "changes all that differs of one server, its readiness last": [
    { a: LINE.replace("10.0.0.5:8080 weight 100", "10.0.0.6:81 weight 7") },
    [observed("a", { maint: true, up: false })],
    [
      "address server b/a 10.0.0.6 port 81: it is at 10.0.0.5 port 8080, asked for at revision 812",
      "weight server b/a 7: it has weight 100, asked for at revision 812",
      "ready server b/a: it is in maint, asked for at revision 812",
    ],
  ],
  "replaces a server whose parameters changed, by their id": [
    { a: LINE.replace("id 7", "id 8") },
    [observed("a")],
    [
      "reload: server b/a: its parameters change, and it gets requests until then",
      "replace server b/a 10.0.0.5:8080 weight 100 check: its parameters changed, asked for at revision 812",
    ],
  ],
  "leaves the id of a server whose line has none": [{ a: "10.0.0.5:8080 weight 100" }, [observed("a")], []],
  "leaves the health of a server, which a text cannot say": [{ a: LINE }, [
    observed("a", { up: false }),
  ], []],
  "removes before it adds, so that an address or an id is free": [
    { a: LINE, c: LINE.replace("id 7", "id 9") },
    [observed("z")],
    [
      "remove server b/z: no entry asks for it",
      "add server b/a 10.0.0.5:8080 weight 100 check: asked for at revision 812",
      "add server b/c 10.0.0.5:8080 weight 100 check: the template asks for it",
    ],
  ],
};

for (const [what, [lines, servers, expected]] of Object.entries(steps)) {
  Deno.test(`plan() ${what}`, () => assertEquals(described(lines, servers), expected));
}

const NAME = "web.example:80 weight 100 check id 7 init-addr none resolvers etcd-haproxy";
const resolved = observed("a", { ip: "10.0.0.5", port: 80, fqdn: "web.example" });

const reloads: Record<string, [input: PlanInput, plan: string[]]> = {
  "another base": [
    inputOf({ a: LINE }, [], { observed: { kind: "up", base: "0123456789abcdef", servers: new Map() } }),
    [
      `reload: HAProxy runs base 0123456789ab, wanted is ${baseDigest(configOf({}).base).slice(0, 12)}`,
      "add server b/a 10.0.0.5:8080 weight 100 check: asked for at revision 812",
    ],
  ],
  "a worker that was not started from our text": [
    inputOf({}, [], { observed: { kind: "up", base: undefined, servers: new Map() } }),
    [
      `reload: HAProxy runs base of unknown origin, wanted is ${baseDigest(configOf({}).base).slice(0, 12)}`,
    ],
  ],
  "a worker whose socket does not answer": [
    inputOf({ a: LINE }, [], { observed: { kind: "silent", reason: "no answer within 5 ms" } }),
    ["reload: the runtime socket does not answer: no answer within 5 ms"],
  ],
  "any step when changes at run time are switched off": [
    inputOf({ a: LINE }, [observed("a", { weight: 3 })], { mode: "reload" }),
    [
      "reload: changes at run time are switched off",
      "weight server b/a 100: it has weight 3, asked for at revision 812",
    ],
  ],
  "a new server with a name": [
    inputOf({ a: NAME }, []),
    [
      "reload: server b/a: its address is not an IP address and a port",
      "add server b/a web.example:80 weight 100 check: asked for at revision 812",
    ],
  ],
  "a server whose name changes": [
    inputOf({ a: NAME.replace("web", "shop") }, [resolved]),
    [
      "reload: server b/a: a name is resolved at a reload only",
      "address server b/a shop.example port 80: it is at web.example port 80, asked for at revision 812",
    ],
  ],
  "a server with a name that goes": [
    inputOf({}, [resolved]),
    [
      "reload: server b/a: a server that is resolved by DNS is removed by a reload",
      "remove server b/a: no entry asks for it",
    ],
  ],
  "a parameter that is not for servers that are added at run time": [
    inputOf({ a: `${LINE} max-reuse 5` }, []),
    [
      "reload: server b/a: its parameter max-reuse is not for servers that are added at run time",
      "add server b/a 10.0.0.5:8080 weight 100 check: asked for at revision 812",
    ],
  ],
};

for (const [what, [input, expected]] of Object.entries(reloads)) {
  Deno.test(`plan() asks for a reload for ${what}`, () => assertEquals(describePlan(plan(input)), expected));
}

Deno.test("plan() looks at the name of a server that has one, not at what it resolved to", () => {
  assertEquals(described({ a: NAME }, [resolved]), []);
  assertEquals(described({ a: NAME.replace("web.example", "WEB.Example") }, [resolved]), []);
  assertEquals(described({ a: NAME }, [{ ...resolved, ip: undefined }]), []);
});

Deno.test("plan() changes the weight of a server that has a name without a reload", () => {
  assertEquals(described({ a: NAME.replace("weight 100", "weight 5") }, [resolved]), [
    "weight server b/a 5: it has weight 100, asked for at revision 812",
  ]);
});

const many = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`s${at}`, LINE.replace("id 7", `id ${at + 1}`)]),
  );

Deno.test("plan() asks for a reload when the steps are too many", () => {
  assertEquals(plan(inputOf(many(400), [])).kind, "runtime");
  assertEquals(described(many(501), [])[0], "reload: 501 steps cost more than a reload");
});

Deno.test("plan() has nothing to do when HAProxy and the file are as desired, in either mode", () => {
  assertEquals(plan(inputOf({ a: LINE }, [observed("a")])), { kind: "nothing" });
  assertEquals(plan(inputOf({ a: LINE }, [observed("a")], { mode: "reload" })), { kind: "nothing" });
});

Deno.test("plan() only writes the file when HAProxy runs what is wanted", () => {
  for (const file of [undefined, "something else"]) {
    assertEquals(described({ a: LINE }, [observed("a")], { file }), [
      "write the file: the file differs from what HAProxy runs",
    ]);
  }
});

Deno.test("plan() only writes the file while HAProxy does not run, and that once", () => {
  const down: Observed = { kind: "down", reason: "exit code 1" };
  const input = { observed: down, file: "" };
  assertEquals(described({ a: LINE }, [], input), ["write the file: HAProxy does not run: exit code 1"]);
  assertEquals(plan(inputOf({ a: LINE }, [], { observed: down })), { kind: "nothing" });
});

Deno.test("plan() leaves backends that are not plain alone: their servers are base", () => {
  const desired = splitConfig("backend b\n    balance first\n    server a 10.0.0.5:80\n");
  const servers = new Map([["b", new Map([["other", observed("other")]])]]);
  const observedNow: Observed = { kind: "up", base: baseDigest(desired.base), servers };
  const input = inputOf({}, [], { desired, observed: observedNow, file: joinConfig(desired) });
  assertEquals(plan(input), { kind: "nothing" });
});

const PLACE = { backend: "b", server: "a", reason: "x" };
const line = { name: "a", params: LINE };
const address = { kind: "ip", host: "10.0.0.6", port: 80 } as const;
const takeTraffic: Record<string, [step: Step, onlyAdds: boolean]> = {
  "an addition": [{ ...PLACE, kind: "add", line }, true],
  "a readmission": [{ ...PLACE, kind: "ready", line, from: "maint" }, true],
  "a replacement": [{ ...PLACE, kind: "replace", line, isMaint: false }, false],
  "an address": [{ ...PLACE, kind: "address", line, address }, false],
  "a weight": [{ ...PLACE, kind: "weight", weight: 256 }, false],
  "maintenance": [{ ...PLACE, kind: "maint" }, false],
  "a removal": [{ ...PLACE, kind: "remove", isMaint: false, isDraining: false, isName: false }, false],
};

for (const [what, [step, expected]] of Object.entries(takeTraffic)) {
  Deno.test(`onlyAdds() ${expected ? "takes" : "does not take"} ${what} for harmless`, () => {
    assertEquals(onlyAdds([step]), expected);
    assertEquals(onlyAdds([{ ...PLACE, kind: "add", line }, step]), expected);
  });
}

Deno.test("runsAt() compares an IP address by what it means and a name without regard to case", () => {
  const at = (kind: "ip" | "name", host: string) => runsAt({ kind, host, port: 80 }, resolved);
  assertEquals([at("ip", "10.0.0.5"), at("name", "web.example"), at("ip", "10.0.0.6")], [true, true, false]);
  assertEquals(runsAt({ kind: "name", host: "web.example", port: 81 }, resolved), false);
  assertEquals(
    runsAt({ kind: "name", host: "web.example", port: 80 }, { ...resolved, fqdn: "Web.Example" }),
    true,
  );
});
