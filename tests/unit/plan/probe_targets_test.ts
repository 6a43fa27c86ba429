import { assertEquals } from "@std/assert";
import { type Candidate, candidatesOf } from "../../../lib/plan/probe_targets.ts";
import { serverParams } from "../../../lib/config/server_line.ts";
import type { Step } from "../../../lib/plan/step.ts";
import { serverOf } from "../fixtures.ts";

const PLACE = { backend: "b", server: "a", reason: "x" };
const LINE = "10.0.0.5:80 weight 100 check";
const line = (params: string) => ({ name: "a", params });
const candidates = (step: Step, path?: string) => candidatesOf([step], () => path);
const add = (params: string): Step => ({ ...PLACE, kind: "add", line: line(params) });
const TARGET = { host: "10.0.0.5", port: 80, path: undefined };
const CANDIDATE: Candidate = { key: "b/a", target: TARGET };

const address = { kind: "ip", host: "10.0.0.5", port: 80 } as const;
const steps: Record<string, [step: Step, expected: Candidate[]]> = {
  "a new server": [add(LINE), [CANDIDATE]],
  "a replaced server": [{ ...PLACE, kind: "replace", line: line(LINE), isMaint: false }, [CANDIDATE]],
  "a new address": [{ ...PLACE, kind: "address", line: line(LINE), address }, [CANDIDATE]],
  "a server that leaves maintenance": [
    { ...PLACE, kind: "ready", line: line(LINE), from: "maint" },
    [CANDIDATE],
  ],
  "no server that leaves drain, whose health is known": [
    { ...PLACE, kind: "ready", line: line(LINE), from: "drain" },
    [],
  ],
  "no weight": [{ ...PLACE, kind: "weight", weight: 5 }, []],
  "no maintenance": [{ ...PLACE, kind: "maint" }, []],
  "no removal": [{ ...PLACE, kind: "remove", isMaint: false, isDraining: false, isName: false }, []],
  "no server in maintenance": [add(`${LINE} disabled`), []],
  "no server without check": [add("10.0.0.5:80 weight 100"), []],
};

for (const [what, [step, expected]] of Object.entries(steps)) {
  Deno.test(`candidatesOf() holds ${what}`, () => assertEquals(candidates(step), expected));
}

const targets: Record<string, [params: string, path: string | undefined, target: Candidate["target"]]> = {
  "its address": [LINE, undefined, TARGET],
  "the path of its entry": [LINE, "/up", { ...TARGET, path: "/up" }],
  "the port of its check": [`${LINE} port 81`, undefined, { ...TARGET, port: 81 }],
  "an IPv6 address": ["[2001:DB8::5]:80 check", undefined, { ...TARGET, host: "2001:db8::5" }],
  "nothing of ours when it speaks TLS": [`${LINE} ssl verify none`, undefined, undefined],
  "nothing of ours when its check speaks TLS": [`${LINE} check-ssl`, undefined, undefined],
  "nothing of ours when it speaks HTTP/2": [`${LINE} proto h2`, undefined, undefined],
  "nothing of ours when it wants the PROXY protocol": [`${LINE} send-proxy`, undefined, undefined],
  "nothing of ours when its check wants the PROXY protocol": [
    `${LINE} check-send-proxy`,
    undefined,
    undefined,
  ],
  "nothing of ours when its check goes elsewhere": [`${LINE} addr 10.0.0.9`, undefined, undefined],
  "nothing of ours when it has a name": ["web:80 check", undefined, undefined],
};

for (const [what, [params, path, target]] of Object.entries(targets)) {
  Deno.test(`candidatesOf() probes ${what}`, () => {
    assertEquals(candidates(add(params), path), [{ key: "b/a", target }]);
  });
}

Deno.test("candidatesOf() asks for the path of each server by its backend and name", () => {
  const steps = [add(LINE), { ...add(LINE), server: "z" }];
  const paths = candidatesOf(steps, (backend, server) => `/${backend}-${server}`).map(({ target }) =>
    target?.path
  );
  assertEquals(paths, ["/b-a", "/b-z"]);
});

Deno.test("candidatesOf() reads the lines that entries become", () => {
  const params = serverParams(serverOf({ address: "10.0.0.5:80", check: { port: 81, path: "/up" } }));
  assertEquals(candidates(add(params), "/up"), [{
    key: "b/a",
    target: { host: "10.0.0.5", port: 81, path: "/up" },
  }]);
});
