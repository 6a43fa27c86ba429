import { assertEquals } from "@std/assert";
import type { Pass } from "../../../lib/reconcile/pass.ts";
import { EMBEDDED, FOUR, guardedWorld, runningWorld, type World } from "./world.ts";

const A = "10.0.0.5:80";

/** Where a value is no plain data; nothing when it is all through. */
function notPlain(value: unknown, path = "pass"): string[] {
  if (typeof value === "function" || typeof value === "symbol") return [`${path} is a ${typeof value}`];
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  if (value instanceof Map) return [...value].flatMap((pair, index) => notPlain(pair, `${path}<${index}>`));
  if (value instanceof Set) return [...value].flatMap((item, index) => notPlain(item, `${path}<${index}>`));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) {
    return [`${path} is of class ${value.constructor.name}`];
  }
  return Object.entries(Object.getOwnPropertyDescriptors(value)).flatMap(([name, { get, value }]) =>
    get === undefined ? notPlain(value, `${path}.${name}`) : [`${path}.${name} is a getter`]
  );
}

Deno.test("notPlain() finds a function, an instance and a getter, wherever they are", () => {
  class Instance {}
  const value = {
    list: [{ deep: new Map([["key", [new Instance()]]]) }],
    call: () => {},
    at: new Date(0),
    get late() {
      return 1;
    },
    good: { bytes: new Uint8Array(), big: 1n, none: undefined, set: new Set([null]) },
  };
  assertEquals(notPlain(value), [
    "pass.list.0.deep<0>.1.0 is of class Instance",
    "pass.call is a function",
    "pass.at is of class Date",
    "pass.late is a getter",
  ]);
});

/** Brings a node to passes of a kind; tells whether the one that is meant is among them. */
const kinds: Record<string, [bring: () => Promise<World>, isMeant: (pass: Pass) => boolean]> = {
  "has nothing to do": [
    async () => {
      const world = await runningWorld({ "backend/a": A });
      await world.pass({ full: true });
      return world;
    },
    ({ decision: { plan } }) => plan.kind === "nothing",
  ],
  "makes steps at run time": [
    async () => {
      const world = await runningWorld({ "backend/a": A });
      world.put("backend/b", { address: "web.example:80", check: false });
      world.put("backend/c", { address: "[2001:db8::1]:80", check: { path: "/health" }, weight: 3 });
      world.put("backend/a", { address: "10.0.0.6:80", weight: 7 });
      await world.pass();
      world.put("backend/a", { address: "10.0.0.6:80", weight: 8 });
      await world.pass();
      return world;
    },
    ({ decision: { plan }, outcome }) => plan.kind === "runtime" && outcome?.kind === "reached",
  ],
  "reloads": [
    async () => {
      const world = await runningWorld({ "backend/a": A });
      world.put("api/x", A);
      await world.pass();
      return world;
    },
    ({ decision: { plan }, outcome }) => plan.kind === "reload" && outcome?.kind === "reached",
  ],
  "is put off": [
    async () => {
      const world = await runningWorld({ "backend/a": A });
      world.delete("backend/a");
      await world.pass({ quiet: false });
      return world;
    },
    ({ outcome }) => outcome === undefined,
  ],
  "is refused, with an entry that HAProxy names": [
    async () => {
      const world = await runningWorld({ "backend/a": A });
      const alerts = [
        { line: undefined, server: { backend: "backend", server: "bad" }, message: "no such thing" },
      ];
      world.haproxy.trouble = {
        check: (text) => text.includes("server bad ") ? { kind: "refused", alerts } : { kind: "valid" },
      };
      world.put("backend/bad", "bad.invalid:80");
      await world.pass();
      return world;
    },
    ({ outcome, state }) => outcome?.kind === "refused" && state.refusals.size === 1,
  ],
  "fails to load": [
    async () => {
      const world = await runningWorld({ "backend/a": A });
      world.template = `${EMBEDDED}\nbackend extra\n`;
      world.haproxy.trouble = { reload: { kind: "failed", reason: "cannot load" } };
      await world.pass();
      return world;
    },
    ({ outcome, state }) => outcome?.kind === "reload-failed" && state.refusedBase !== undefined,
  ],
  "makes steps that have no effect": [
    async () => {
      const world = await runningWorld({ "backend/a": A });
      world.haproxy.trouble = { deaf: (line) => line.startsWith("add") };
      world.put("backend/b", A);
      await world.pass();
      return world;
    },
    ({ outcome }) => outcome?.kind === "incomplete",
  ],
  "holds servers": [
    async () => {
      const { world, deleteAll } = await guardedWorld();
      deleteAll();
      await world.pass();
      return world;
    },
    ({ guard }) => guard.held.length === 2 && guard.released.length === 2,
  ],
  "rejects entries": [
    async () => {
      const world = await runningWorld(FOUR);
      world.put("backend/e", "no address");
      await world.pass();
      return world;
    },
    ({ model }) => model.rejections.length === 1,
  ],
  "cannot render the template": [
    async () => {
      const world = await runningWorld({ "backend/a": A });
      world.template = "<%= it.nothing.here %>";
      await world.pass();
      return world;
    },
    ({ decision: { desired } }) => desired.templateError !== undefined,
  ],
  "finds no HAProxy": [
    async () => {
      const world = await runningWorld({ "backend/a": A });
      world.haproxy.trouble = { down: "it ended" };
      await world.pass();
      return world;
    },
    ({ observed }) => observed.running.kind === "down",
  ],
};

for (const [kind, [bring, isMeant]] of Object.entries(kinds)) {
  Deno.test(`reconcile() returns plain data when it ${kind}`, async () => {
    const { passes } = await bring();
    assertEquals(passes.some(isMeant), true);
    assertEquals(passes.flatMap((pass) => notPlain(pass)), []);
  });
}
