import { assertEquals } from "@std/assert";
import { baseDigest, type ConfigText, joinConfig, splitConfig } from "../../../lib/config/text.ts";
import { INITIAL_STATE, type NodeState } from "../../../lib/reconcile/state.ts";
import { comparable } from "../../../lib/config/server_line.ts";
import {
  chooseDesired,
  desiredWithoutTemplate,
  onLastGood,
  servicesInFile,
} from "../../../lib/reconcile/desired.ts";
import { modelOf } from "../fixtures.ts";

const GOOD = "backend old\n\nbackend both\n";
const RENDERED: ConfigText = {
  base: "backend both\n\nbackend new\n",
  servers: new Map([
    ["both", [{ name: "a", params: "10.0.0.5:80" }]],
    ["new", [{ name: "b", params: "10.0.0.6:80" }]],
  ]),
};
const refusedBase = { digest: baseDigest(RENDERED.base), reason: "no", attempts: 1, retryAt: 1_000 };
const asRendered = { config: RENDERED, base: "rendered", pendingBackends: [] } as const;

const rendered: Record<string, [memory: Partial<NodeState>, now: number]> = {
  "nothing is refused": [{ goodBase: GOOD }, 0],
  "another base is refused": [{ goodBase: GOOD, refusedBase: { ...refusedBase, digest: "other" } }, 0],
  "the refused base is due again": [{ goodBase: GOOD, refusedBase }, 1_000],
  "there is no good base to go on with": [{ refusedBase }, 0],
};

for (const [what, [memory, now]] of Object.entries(rendered)) {
  Deno.test(`chooseDesired() wants the rendered base when ${what}`, () => {
    assertEquals(chooseDesired(RENDERED, { ...INITIAL_STATE, ...memory }, now), asRendered);
  });
}

Deno.test("chooseDesired() goes on with the last good base and the servers of now while the new one is refused", () => {
  assertEquals(chooseDesired(RENDERED, { ...INITIAL_STATE, goodBase: GOOD, refusedBase }, 999), {
    config: { base: GOOD, servers: new Map([["old", []], ["both", RENDERED.servers.get("both") ?? []]]) },
    base: "last-good",
    pendingBackends: ["new"],
  });
});

Deno.test("desiredWithoutTemplate() writes the servers of the model into the last good base", () => {
  const model = modelOf({ "both/a": "10.0.0.5:80", "new/b": "10.0.0.6:80" });
  const { config, base, pendingBackends } = desiredWithoutTemplate(model, {
    base: GOOD,
    servers: new Map(),
    services: [],
  });
  assertEquals([config.base, base, pendingBackends], [GOOD, "last-good", ["new"]]);
  const [line] = config.servers.get("both") ?? [];
  assertEquals(line?.name, "a");
  const { address, id } = comparable(line ?? { name: "", params: "" });
  assertEquals([address, id === undefined], [{ kind: "ip", host: "10.0.0.5", port: 80 }, false]);
  assertEquals(config.servers.get("old"), []);
});

const TUNED = `backend both
    server a 10.0.0.5:80 weight 100 check resolvers etcd-haproxy slowstart 10s id 1
    server b 10.0.0.6:80 weight 100 check resolvers etcd-haproxy slowstart 10s id 2
    server gone 10.0.0.7:80 weight 100 check id 3
    server fixed 10.0.0.8:80 id 4

backend static
    server old 10.9.9.9:80 id 5
`;

for (
  const [what, before, left] of [
    ["", { "both/a": "10.0.0.5:80", "both/b": "10.0.0.6:80", "both/gone": "10.0.0.7:80" }, ["fixed"]],
    ["after a start, when it is not known who was registered", undefined, []],
  ] as const
) {
  Deno.test(
    `desiredWithoutTemplate() keeps the template's lines, but for who changed or left ${what}`.trim(),
    () => {
      const { base, servers } = splitConfig(TUNED);
      const model = modelOf({ "both/a": "10.0.0.5:80", "both/b": { address: "10.0.0.6:80", weight: 7 } });
      const services = before === undefined ? undefined : modelOf(before).services;
      const { config } = desiredWithoutTemplate(model, { base, servers, services });
      const both = config.servers.get("both") ?? [];
      assertEquals(both.map(({ name }) => name), ["a", "b", ...left]);
      assertEquals(both[0], servers.get("both")?.[0]);
      assertEquals(comparable(both[1] ?? { name: "", params: "" }).weight, 7);
      assertEquals(config.servers.get("static"), servers.get("static"));
    },
  );
}

Deno.test("onLastGood() has the servers of now on the base that waits to be replaced", () => {
  assertEquals(onLastGood(GOOD, RENDERED.servers), {
    config: { base: GOOD, servers: new Map([["old", []], ["both", RENDERED.servers.get("both") ?? []]]) },
    base: "last-good",
    pendingBackends: ["new"],
  });
});

const BACKEND = "backend one\n    server a 10.0.0.5:80\n\n";
const FRONTEND = "frontend main\n    bind :80\n    default_backend one\n\n";
const wantedAfter = (before: string, after: string) => {
  const goodBase = splitConfig(before).base;
  const rendered = splitConfig(after);
  const { config, base } = chooseDesired(rendered, { ...INITIAL_STATE, goodBase }, 0);
  assertEquals(base, "rendered");
  return { text: joinConfig(config), keeps: config.base === goodBase, rendered: joinConfig(rendered) };
};

Deno.test("chooseDesired() keeps the section of a backend that only disappears, without servers", () => {
  const both = `${FRONTEND}${BACKEND}backend two\n    server b 10.0.0.6:80\n`;
  const { text, keeps } = wantedAfter(both, `${FRONTEND}${BACKEND}`);
  assertEquals(keeps, true);
  assertEquals(text.match(/^(backend| {4}server) \S+/gm), ["backend one", "    server a", "backend two"]);
});

Deno.test("chooseDesired() keeps several sections that disappear, and fills one that comes back", () => {
  const all = `${FRONTEND}${BACKEND}backend two\n\nbackend three\n    server c 10.0.0.7:80\n`;
  const { text, keeps } = wantedAfter(all, `${FRONTEND}${BACKEND}backend two\n    server b 10.0.0.6:80\n`);
  assertEquals(keeps, true);
  assertEquals(text.match(/^(backend| {4}server) \S+/gm), [
    "backend one",
    "    server a",
    "backend two",
    "    server b",
    "backend three",
  ]);
});

const reloaded: Record<string, [before: string, after: string]> = {
  "a backend comes": [FRONTEND + BACKEND, `${FRONTEND}${BACKEND}backend two\n`],
  "anything else changes besides": [
    `${FRONTEND}${BACKEND}backend two\n`,
    `${FRONTEND.replace(":80", ":81")}${BACKEND}`,
  ],
  "what disappears is not plain": [
    `${FRONTEND}${BACKEND}backend two\n    balance first\n    server b 10.0.0.6:80\n`,
    FRONTEND + BACKEND,
  ],
  "what disappears is a frontend": [
    `${FRONTEND}${BACKEND}frontend other\n    bind :81\n`,
    FRONTEND + BACKEND,
  ],
};

for (const [what, [before, after]] of Object.entries(reloaded)) {
  Deno.test(`chooseDesired() wants the rendered base when ${what}`, () => {
    const { text, keeps, rendered } = wantedAfter(before, after);
    assertEquals([keeps, text], [false, rendered]);
  });
}

Deno.test("servicesInFile() leaves out services that wait for the rendered base", () => {
  const model = modelOf({ "both/a": "10.0.0.5:80", "new/b": "10.0.0.6:80" });
  const names = (desired: Parameters<typeof servicesInFile>[1]) =>
    servicesInFile(model, desired).map(({ name }) => name);
  assertEquals(names(asRendered), ["both", "new"]);
  assertEquals(names({ ...asRendered, base: "last-good", pendingBackends: ["new"] }), ["both"]);
});
